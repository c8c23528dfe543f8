"""Frames of a camera."""
from typing import Any, Union

import cv2
import numpy as np

# For a camera without a known frame rate.
USUAL_FPS = 30.
FASTEST_FPS = 1000.


def read_camera(camera: Union[int, str], seconds: float = 3.) -> dict:
    """Read frames of a camera for some time.

    Args:
        camera (int | str): Number of a camera, or the address of a stream, as
            OpenCV takes them.
        seconds (float): Time to read, by the frame rate of the camera, or 30
            frames per second where unknown. Defaults to 3.

    Returns:
        dict: ``array`` (np.ndarray), the frames, (t, h, w, 3), uint8, RGB,
        and ``fps`` (float).

    Raises:
        ValueError: If an argument is out of range, or the camera cannot be
            opened or gives no frame.
    """
    if isinstance(camera, bool) or not isinstance(camera, (int, str)):
        raise ValueError('camera must be a number or the address of a stream, '
                         f'but is {camera!r}')
    if isinstance(camera, int) and camera < 0:
        # OpenCV takes any camera for -1, and crashes where none exists.
        raise ValueError(f'camera {camera} cannot be opened; cameras are '
                         'numbered from 0')
    number = isinstance(seconds, (int, float, np.number))
    if isinstance(seconds, bool) or not number or not 0 < seconds < np.inf:
        raise ValueError('seconds must be a number above 0, but is '
                         f'{seconds!r}')
    capture: Any = cv2.VideoCapture(camera)
    try:
        if not capture.isOpened():
            raise ValueError(
                f'camera {camera} cannot be opened; cameras are numbered from '
                '0, and another program may hold it')
        fps = capture.get(cv2.CAP_PROP_FPS)
        fps = fps if 0 < fps <= FASTEST_FPS else USUAL_FPS
        frames = []
        for _ in range(max(1, round(seconds * fps))):
            there, frame = capture.read()
            if not there:
                break
            # OpenCV gives BGR.
            frames.append(frame[..., ::-1])
    finally:
        capture.release()
    if not frames:
        raise ValueError(f'camera {camera} gives no frame; try another number')
    return dict(array=np.stack(frames), fps=fps)
