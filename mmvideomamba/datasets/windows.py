"""Windows of long videos, in seconds."""
from typing import List, Optional, Sequence, Tuple

Window = Tuple[float, float]


def find_windows(duration: float, window: float,
                 stride: float) -> List[Window]:
    """Cut a video into windows.

    A window begins each ``stride`` seconds. The last window is cut at the end
    of the video, or dropped if less than half a window is left. A video
    shorter than a window is a single window.

    Args:
        duration (float): Length of the video, in seconds.
        window (float): Length of a window, in seconds.
        stride (float): Distance of the starts, in seconds.

    Returns:
        list[tuple[float, float]]: Start and end, in seconds.
    """
    if duration < window:
        return [(0., duration)]
    found = []
    for i in range(int(duration // stride) + 1):
        start = i * stride
        # A last second in part starts no further window.
        late = i > 0 and start >= int(duration)
        if late or duration - start < window / 2:
            break
        found.append((start, min(start + window, duration)))
    return found


def pick_windows(windows: Sequence[Window],
                 count: Optional[int] = None) -> List[Window]:
    """Choose windows spread evenly over a video.

    Args:
        windows (Sequence[tuple[float, float]]): All windows of the video.
        count (int, optional): Windows to choose; 1 takes the window in the
            middle, a larger number than there are takes all. Defaults to
            None, all.

    Returns:
        list[tuple[float, float]]: The chosen windows.
    """
    total = len(windows)
    if count is None or count >= total:
        return list(windows)
    # The middle window of each of count equal parts.
    return [windows[(2 * i + 1) * total // (2 * count)] for i in range(count)]
