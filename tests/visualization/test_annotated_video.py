"""The annotated video shows the frames with the best classes below."""
from pathlib import Path
from typing import Callable

import numpy as np
import pytest

pytest.importorskip('imageio_ffmpeg', reason='the extra demo is not installed')

from mmvideomamba.datasets.video import VideoReader, open_video  # noqa: E402
from mmvideomamba.visualization import annotated_video  # noqa: E402

SCORES = [('rise', 0.75), ('fall', 0.25)]


def save(video: Path, path: Path) -> VideoReader:
    """Annotate a video; return the result."""
    annotated_video.save_annotated_video(open_video(str(video)), SCORES, path)
    return open_video(str(path))


def test_bars_are_as_long_as_the_scores() -> None:
    frame = np.full((300, 200, 3), 90, np.uint8)
    picture = annotated_video.annotate_frame(frame, SCORES)
    assert picture.shape == (300 + 2 * (4 + 11 * 2), 200, 3)
    assert (picture[:300] == 90).all()
    bars = (picture[300:] == (64, 160, 255)).all(-1)
    assert [bars[20].sum(), bars[42].sum()] == [150, 50]


@pytest.mark.parametrize('size', [(31, 17), (640, 360), (96, 400)])
def test_any_shape_of_video(make_video: Callable, tmp_path: Path,
                            size: tuple) -> None:
    reader = save(make_video(size=size, frames=2), tmp_path / 'out.mp4')
    assert len(reader) == 2


def test_long_videos_are_thinned_out(make_video: Callable, tmp_path: Path,
                                     monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(annotated_video, 'MAX_FRAMES', 10)
    reader = save(make_video(frames=25), tmp_path / 'out.mp4')
    assert len(reader) == 9  # every third
    assert round(reader.avg_fps, 2) == 3.33
