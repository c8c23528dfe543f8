"""mmaction2's visualizer draws a file without decord, in the host's order."""
import sys
from pathlib import Path
from typing import Callable

import numpy as np
import pytest
from mmaction.structures import ActionDataSample
from mmaction.visualization import ActionVisualizer

from mmvideomamba.datasets.video import MediaError
from mmvideomamba.datasets.video.choice import open_video


@pytest.fixture
def visualizer(monkeypatch: pytest.MonkeyPatch) -> ActionVisualizer:
    """Return the host's visualizer, on a machine without decord."""
    monkeypatch.setitem(sys.modules, 'decord', None)
    return ActionVisualizer()


def test_frames_of_a_file_are_ours(visualizer: ActionVisualizer,
                                   make_video: Callable[..., Path]) -> None:
    path = str(make_video(frames=5))
    found = visualizer._load_video(path)
    with open_video(path) as reader:
        expected = reader.get_frames(range(5))
    np.testing.assert_array_equal(found, expected[..., ::-1])
    small = visualizer._load_video(path, (32, -1))
    assert [frame.shape for frame in small] == [(24, 32, 3)] * 5


def test_file_is_drawn_as_its_frames_are(visualizer: ActionVisualizer,
                                         make_video: Callable[..., Path],
                                         tmp_path: Path) -> None:
    sample = ActionDataSample().set_pred_label(1)
    path = str(make_video(frames=3))
    frames = visualizer._load_video(path)
    drawn = [
        visualizer.add_datasample(
            'clip', video, sample, out_path=str(tmp_path / name))
        for name, video in (('file', path), ('frames', frames))
    ]
    np.testing.assert_array_equal(*drawn)
    assert len(list((tmp_path / 'file').rglob('*.png'))) == 3


def test_bad_file_is_named(visualizer: ActionVisualizer,
                           tmp_path: Path) -> None:
    (tmp_path / 'a.mp4').write_bytes(b'no video')
    with pytest.raises(MediaError, match='a.mp4'):
        visualizer._load_video(str(tmp_path / 'a.mp4'))
