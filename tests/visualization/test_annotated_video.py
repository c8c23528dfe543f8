"""The annotated video shows the frames with the best classes below."""
from pathlib import Path
from typing import Callable

import numpy as np
import pytest

from mmvideomamba.datasets.video import VideoReader, open_video
from mmvideomamba.visualization import Clip, annotated_video
from mmvideomamba.visualization.annotated_video import (SEEN, annotate_frame,
                                                        chosen_frames,
                                                        save_annotated_video,
                                                        save_clip_video)
from mmvideomamba.visualization.score_bars import BAR

SCORES = [('rise', 0.75), ('fall', 0.25)]


def test_panel_below_the_frame() -> None:
    frame = np.full((300, 400, 3), 90, np.uint8)
    picture = annotate_frame(frame, SCORES)
    assert (picture[:300] == 90).all() and picture.shape[0] % 2 == 0
    bars = (picture[300:] == BAR).all(-1).sum(1)
    assert set(bars) == {0, 300, 100}


def test_seen_frame_is_marked() -> None:
    frame = np.full((300, 400, 3), 90, np.uint8)
    plain, seen = (
        annotate_frame(frame, SCORES, 'frame 7', seen)
        for seen in (False, True))
    assert plain.shape == seen.shape
    assert (plain[:300] == 90).all()
    assert (seen[[0, 299]] == SEEN).all() and (seen[:300, [0, -1]]
                                               == SEEN).all()
    assert (seen[3:297, 3:-3] == 90).all()


@pytest.mark.parametrize('size, expected', [((1080, 1920), (1080, 1920)),
                                            ((1920, 1080), (1920, 1080)),
                                            ((2160, 3840), (1080, 1920)),
                                            ((48, 65), (288, 390))])
def test_size_of_frames(size: tuple, expected: tuple) -> None:
    assert annotated_video.drawn_size(*size) == expected


def save(video: Path, path: Path, **kwargs: list) -> VideoReader:
    """Annotate a video; return the result."""
    save_annotated_video(open_video(str(video)), SCORES, path, **kwargs)
    return open_video(str(path))


@pytest.mark.parametrize('size', [(31, 17), (96, 400)])
def test_any_shape_of_video(make_video: Callable, tmp_path: Path,
                            size: tuple) -> None:
    video = make_video(size=size, frames=2)
    assert len(save(video, tmp_path / 'out.mp4')) == 2
    assert len(save(video, tmp_path / 'seen.mp4', clips=[[1]])) == 2


def test_long_videos_are_thinned_out(make_video: Callable, tmp_path: Path,
                                     monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(annotated_video, 'MAX_FRAMES', 10)
    reader = save(make_video(frames=25), tmp_path / 'out.mp4')
    assert len(reader) == 9  # every third
    assert round(reader.avg_fps, 2) == 3.33


def test_frames_seen_are_chosen_before_others() -> None:
    assert chosen_frames(10, 3) == [0, 3, 6, 9]
    assert chosen_frames(10, 3, {2, 7, 8}) == [2, 3, 7, 9]
    assert chosen_frames(3, 1, {1}) == [0, 1, 2]


def test_marks_in_the_video(make_video: Callable, tmp_path: Path) -> None:
    """A border while shown, and ticks below at all times."""
    reader = save(make_video(frames=4), tmp_path / 'out.mp4', clips=[[1], [3]])
    borders = reader.get_frames(range(4))[:, 0].mean(1)
    for number, colour in enumerate(borders):
        close = np.abs(colour - SEEN).max() < 25
        assert close == (number in (1, 3))


def test_clip_video(tmp_path: Path) -> None:
    frames = np.full((4, 60, 100, 3), 90, np.uint8)
    relevance = np.ones((2, 3, 3), np.float32)
    clip = Clip(frames, [0, 5, 9, 14], relevance=relevance)
    save_clip_video(clip, SCORES, tmp_path / 'a.mp4')
    with open_video(str(tmp_path / 'a.mp4')) as reader:
        assert len(reader) == 4 and reader.avg_fps == 4
        picture, = reader.get_frames([0])
    # The overlay stands below the wide frame.
    above, below = picture[40, 40].tolist(), picture[300, 40].tolist()
    assert max(above) - min(above) < 10 < max(below) - min(below)
