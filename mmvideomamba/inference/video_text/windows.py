"""Windows of a video in seconds, and the frames of each window."""
from typing import Optional, Tuple

import numpy as np

# Seconds below which two times are the same.
CLOSE = 1e-6


def check_windows(window: Optional[float], stride: Optional[float]) -> None:
    """Refuse lengths that cut no windows.

    Args:
        window (float, optional): Length in seconds; None for whole videos.
        stride (float, optional): Distance of the starts in seconds; None for
            ``window``.

    Raises:
        ValueError: If a number is not above 0, or there is a stride alone.
    """
    for name, value in dict(window=window, stride=stride).items():
        if value is not None and not 0 < value < float('inf'):
            raise ValueError(f'{name} must be a number of seconds above 0, '
                             f'but is {value!r}')
    if stride is not None and window is None:
        raise ValueError(f'stride={stride}: whole videos are taken; give '
                         'window, the length of a window in seconds, too')


def cut_video(duration: float,
              window: Optional[float] = None,
              stride: Optional[float] = None) -> np.ndarray:
    """Place windows over a video, up to the end.

    The last window begins earlier than a stride after the window before, so
    that all windows have the same length. A video shorter than a window is a
    single window.

    Args:
        duration (float): Seconds of the video.
        window (float, optional): Length in seconds. Defaults to None, the
            whole video.
        stride (float, optional): Distance of the starts in seconds. Defaults
            to None: each begins where the one before ends.

    Returns:
        np.ndarray: Start and end in seconds, (n, 2), float64.
    """
    if window is None or duration <= window + CLOSE:
        return np.array([[0., duration]])
    stride = stride or window
    last = duration - window
    # Without CLOSE a rounded duration would add a window of no new frame.
    count = 1 + int(np.ceil((last - CLOSE) / stride))
    starts = np.minimum(stride * np.arange(count), last)
    return np.stack([starts, starts + window], 1)


def frames_between(times: np.ndarray, start: float,
                   end: float) -> Tuple[int, int]:
    """Find the frames that are on the screen in a part of a video.

    Args:
        times (np.ndarray): When each frame appears, in seconds, (n, ).
        start (float): Seconds.
        end (float): Seconds.

    Returns:
        tuple[int, int]: First frame, and the frame after the last; at least
        one frame.
    """
    first = int(np.searchsorted(times, start + CLOSE, 'right')) - 1
    first = min(max(first, 0), len(times) - 1)
    behind = int(np.searchsorted(times, end - CLOSE, 'left'))
    return first, max(behind, first + 1)


def check_part(start: Optional[float], end: Optional[float], duration: float,
               name: str) -> Tuple[float, float]:
    """Check the part of a video that a user chose.

    Args:
        start (float, optional): Seconds; None for the start of the video.
        end (float, optional): Seconds; None for the end of the video.
        duration (float): Seconds of the video.
        name (str): Of the video, for an error.

    Returns:
        tuple[float, float]: Start and end in seconds, inside the video.

    Raises:
        ValueError: If the part is empty, or begins outside of the video.
    """
    first = 0. if start is None else start
    last = duration if end is None else min(end, duration)
    if not 0 <= first < duration:
        raise ValueError(f'{name} lasts {duration:.3f} s, but the part begins '
                         f'at {first:g} s; give a start inside the video')
    if not last > first:
        raise ValueError(f'the part of {name} from {first:g} s to {last:g} s '
                         'is empty; give an end after the start')
    return first, last
