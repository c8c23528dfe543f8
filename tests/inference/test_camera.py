"""Frames of a camera, here files and a stand-in for OpenCV's class."""
from pathlib import Path
from typing import Any, Callable

import cv2
import numpy as np
import pytest

from mmvideomamba.datasets.video import open_video
from mmvideomamba.inference.camera import read_camera


class Capture:
    """A camera with red frames and a frame rate."""

    fps, left, opened, released = 0., 1000, True, False

    def __init__(self, camera: Any) -> None:
        self.camera = camera

    def isOpened(self) -> bool:  # noqa: N802, OpenCV's name
        return self.opened

    def get(self, key: int) -> float:
        assert key == cv2.CAP_PROP_FPS
        return self.fps

    def read(self) -> tuple:
        Capture.left -= 1
        there = Capture.left >= 0
        frame = np.full((4, 6, 3), (0, 0, 255), np.uint8) if there else None
        return there, frame

    def release(self) -> None:
        Capture.released = True


@pytest.fixture
def capture(monkeypatch: pytest.MonkeyPatch) -> type:
    for name in ('fps', 'left', 'opened', 'released'):
        monkeypatch.setattr(Capture, name, getattr(Capture, name))
    monkeypatch.setattr(cv2, 'VideoCapture', Capture)
    return Capture


@pytest.mark.parametrize('fps, count', [(10., 20), (0., 60), (1e6, 60),
                                        (float('nan'), 60), (0.1, 1)])
def test_seconds_by_the_frame_rate(capture: type, fps: float,
                                   count: int) -> None:
    capture.fps = fps
    found = read_camera(1, 2.)
    assert found['array'].shape == (count, 4, 6, 3)
    assert found['fps'] == (fps if fps in (10., 0.1) else 30)
    assert found['array'][0, 0, 0].tolist() == [255, 0, 0]
    assert capture.released


def test_camera_that_ends_early(capture: type) -> None:
    capture.left = 5
    assert len(read_camera(0)['array']) == 5


@pytest.mark.parametrize('fault, text', [
    (dict(opened=False), 'camera 7 cannot be opened'),
    (dict(left=0), 'camera 7 gives no frame'),
])
def test_camera_without_frames(capture: type, fault: dict, text: str) -> None:
    for name, value in fault.items():
        setattr(capture, name, value)
    with pytest.raises(ValueError, match=text):
        read_camera(7)
    assert capture.released


@pytest.mark.parametrize('camera', [None, True, 1.5])
def test_other_cameras_are_refused(camera: Any) -> None:
    with pytest.raises(ValueError, match=f'camera must be .* is {camera}'):
        read_camera(camera)


def test_no_number_below_zero() -> None:
    with pytest.raises(ValueError, match='camera -1 .* numbered from 0'):
        read_camera(-1)


@pytest.mark.parametrize(
    'seconds',
    [0, -1., float('nan'), float('inf'), True, '3'])
def test_seconds_must_be_positive(seconds: Any) -> None:
    with pytest.raises(ValueError, match='seconds must be a number above 0'):
        read_camera(0, seconds)


def test_file_in_the_place_of_a_camera(
        make_video: Callable[..., Path]) -> None:
    path = str(make_video(frames=8, fps=10.))
    found = read_camera(path, 0.5)
    assert found['fps'] == 10
    with open_video(path, 'opencv') as reader:
        np.testing.assert_array_equal(found['array'],
                                      reader.get_frames(range(5)))
