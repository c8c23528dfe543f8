"""A written file holds the frames at the given rate."""
from pathlib import Path

import numpy as np
import pytest

from mmvideomamba.datasets.video import open_video
from mmvideomamba.visualization.video_file import write_video

FRAMES = [np.full((33, 47, 3), 40 * i, np.uint8) for i in range(5)]


def test_frames_and_speed(tmp_path: Path) -> None:
    path = tmp_path / 'new' / 'a.mp4'
    assert write_video(iter(FRAMES), path, 29.97) == 5
    with open_video(str(path)) as reader:
        assert len(reader) == 5 and round(reader.avg_fps, 2) == 29.97
        found = reader.get_frames(range(5))
    assert found.shape[1:] == (32, 46, 3)
    np.testing.assert_allclose(
        found.mean((1, 2, 3)), 40. * np.arange(5), atol=4)


def test_nothing_to_write(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match='a.mp4: there is no frame'):
        write_video([], tmp_path / 'a.mp4', 5)
    with pytest.raises(ValueError, match='fps must be positive, but is 0'):
        write_video(FRAMES, tmp_path / 'a.mp4', 0)
