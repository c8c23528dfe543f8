"""Sampler of the published video-text model."""
import random
from typing import List, Optional, Union

import numpy as np
from mmcv.transforms import BaseTransform

from mmvideomamba.registry import TRANSFORMS

MODES = ('rand', 'middle')


@TRANSFORMS.register_module()
class IntervalSample(BaseTransform):
    """Cut a video into intervals and take a frame from each.

    With F frames and ``a = min(clip_len, F)``, the borders are
    ``floor(linspace(0, F, a + 1))``, and interval i reaches from border i, x,
    to y, the frame before border i + 1.

    - 'middle': ``floor((x + y) / 2)``
    - 'rand': a frame out of x..y-1, drawn by Python's generator: the last
      frame of an interval is never drawn. If an interval has a single frame,
      ``a`` different frames of the whole video are drawn instead

    Of a shorter video the last frame is repeated.

    Required Keys:

    - total_frames (int)
    - start_index (int, optional): Defaults to 0
    - avg_fps (float): With ``max_seconds`` only

    Added Keys:

    - frame_inds (np.ndarray): Shape (clip_len, ), int64
    - clip_len (int)
    - num_clips (int): 1
    - frame_interval (None)

    Args:
        clip_len (int): Frames of the clip.
        mode (str): 'rand' or 'middle'. Defaults to 'middle'.
        max_seconds (float, optional): Look at the start of the video only,
            published for DiDeMo with 30. Defaults to None, the whole video.

    Raises:
        ValueError: If an argument is not allowed.

    Source: VideoMamba, arXiv:2403.06977, Section 4.4.
    """

    def __init__(self,
                 clip_len: int,
                 mode: str = 'middle',
                 max_seconds: Optional[float] = None) -> None:
        if mode not in MODES:
            raise ValueError(f'mode of IntervalSample must be one of '
                             f'{list(MODES)}, but is {mode!r}')
        if clip_len < 1 or (max_seconds is not None and max_seconds <= 0):
            raise ValueError(
                'clip_len and max_seconds of IntervalSample must be positive, '
                f'but are {clip_len} and {max_seconds}')
        self.clip_len, self.mode = clip_len, mode
        self.max_seconds = max_seconds

    def frames(self, total_frames: int) -> np.ndarray:
        """Choose frames.

        Args:
            total_frames (int): Frames to choose from.

        Returns:
            np.ndarray: Shape (clip_len, ), int64.
        """
        count = min(self.clip_len, total_frames)
        borders = np.linspace(0, total_frames, count + 1).astype(np.int64)
        first, last = borders[:-1], borders[1:] - 1
        chosen: Union[np.ndarray, List[int]]
        if self.mode == 'middle':
            chosen = (first + last) // 2
        elif (last > first).all():
            chosen = [random.choice(range(x, y)) for x, y in zip(first, last)]
        else:
            chosen = sorted(random.sample(range(total_frames), count))
        chosen = np.asarray(chosen, dtype=np.int64)
        return np.pad(chosen, (0, self.clip_len - count), mode='edge')

    def transform(self, results: dict) -> dict:
        """Choose the frames of a sample.

        Args:
            results (dict): The sample, with the required keys.

        Returns:
            dict: The sample, with the added keys.
        """
        total = results['total_frames']
        # DiDeMo is tested on the first 30 s of a video, as published.
        if self.max_seconds is not None:
            total = min(total,
                        max(1, int(self.max_seconds * results['avg_fps'])))
        frames = self.frames(total)
        results['frame_inds'] = frames + results.get('start_index', 0)
        results['clip_len'] = self.clip_len
        results['num_clips'] = 1
        results['frame_interval'] = None
        return results

    def __repr__(self) -> str:
        return (f'{self.__class__.__name__}(clip_len={self.clip_len}, '
                f'mode={self.mode!r}, max_seconds={self.max_seconds})')
