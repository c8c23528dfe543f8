"""Which frames each row of features sees."""
from typing import NamedTuple, Optional, Sequence

import numpy as np

from ..views import step_name

LEVELS = ('clip', 'window', 'frame')
# Between frames of a window, for models that sample a whole video sparsely.
USUAL_INTERVAL = 4


class FeaturePlan(NamedTuple):
    """How a video of any length is cut into rows.

    Args:
        level (str): One of ``LEVELS``.
        length (int): Frames of a clip of the model.
        tubelet (int): Frames of a token.
        interval (int): Distance of the frames of a window, in frames.
        stride (int): Distance of the windows, in frames.
    """
    level: str
    length: int
    tubelet: int
    interval: int
    stride: int

    @property
    def extent(self) -> int:
        """Frames that a window covers."""
        return self.length * self.interval

    @property
    def row_stride(self) -> Optional[int]:
        """Distance of the rows, in frames; None for clips of the test."""
        if self.level == 'clip':
            return None
        frame = self.level == 'frame'
        return self.tubelet * self.interval if frame else self.stride

    @property
    def row_frames(self) -> Optional[int]:
        """Frames that a row stands for; None for clips of the test."""
        return self.row_stride if self.level == 'frame' else (
            None if self.level == 'clip' else self.extent)

    def windows(self, total: int) -> np.ndarray:
        """Place windows over a video.

        The last window reaches the end; frames beyond are the last frame.

        Args:
            total (int): Frames of the video.

        Returns:
            np.ndarray: Numbers of the frames, (n, length), int64.
        """
        count = 1 + max(0, -((self.extent - total) // self.stride))
        # No window may begin after the end, for strides above the extent too.
        count = min(count, -(-total // self.stride))
        starts = self.stride * np.arange(count)
        inside = self.interval * np.arange(self.length)
        return np.minimum(starts[:, None] + inside, total - 1)

    def spans(self, clips: np.ndarray, total: int) -> np.ndarray:
        """Return the frames that the rows stand for.

        Args:
            clips (np.ndarray): Frames of all clips or windows, (n, length).
            total (int): Frames of the video.

        Returns:
            np.ndarray: First frame and the frame after the last of each row,
            (rows, 2), int64.
        """
        if self.level == 'clip':
            return np.stack([clips.min(1), clips.max(1) + 1], 1)
        step, frames = int(self.row_stride or 0), int(self.row_frames or 0)
        if self.level == 'window':
            starts = step * np.arange(len(clips))
        else:
            starts = np.arange(0, total, step)
        return np.stack([starts, np.minimum(starts + frames, total)], 1)


def make_plan(level: str,
              steps: Sequence[dict],
              length: int,
              tubelet: int,
              interval: Optional[int] = None,
              stride: Optional[int] = None) -> FeaturePlan:
    """Choose the windows of a model.

    Args:
        level (str): One of ``LEVELS``.
        steps (Sequence[dict]): The test pipeline.
        length (int): Frames of a clip of the model.
        tubelet (int): Frames of a token.
        interval (int, optional): Distance of the frames of a window. Defaults
            to None, that of ``SampleFrames`` in the pipeline, else
            ``USUAL_INTERVAL``.
        stride (int, optional): Distance of the windows, in frames. Defaults
            to None: each begins where the one before ends.

    Returns:
        FeaturePlan: The plan.

    Raises:
        ValueError: If an argument is not allowed.
    """
    if level not in LEVELS:
        raise ValueError(f'level must be one of {list(LEVELS)}, but is '
                         f'{level!r}')
    for name, value in dict(interval=interval, stride=stride).items():
        if value is not None and level == 'clip':
            raise ValueError(f'{name}={value}: the clips of the test are '
                             "taken; give level='window'")
        if value is not None and value < 1:
            raise ValueError(f'{name} must be at least 1, but is {value}')
    if stride is not None and level == 'frame':
        raise ValueError(f'stride={stride}: each frame has one row; the '
                         'distance of the rows is the interval times the '
                         'frames of a token')
    if interval is None:
        known = [
            s.get('frame_interval', 1) for s in steps
            if step_name(s) == 'SampleFrames'
        ]
        interval = int(known[0]) if known else USUAL_INTERVAL
    return FeaturePlan(level, length, tubelet, interval, stride
                       or length * interval)
