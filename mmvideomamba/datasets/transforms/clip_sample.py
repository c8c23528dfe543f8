"""What samplers of several clips share."""
from typing import Optional

import numpy as np
from mmcv.transforms import BaseTransform


class ClipSample(BaseTransform):
    """Choose the frames of each clip by ``_random_clip`` or ``_fixed_clip``.

    Required Keys:

    - total_frames (int)
    - start_index (int)

    Added Keys:

    - frame_inds (np.ndarray): Shape (num_clips * clip_len, ), int64, clip
      after clip, counted from ``start_index``
    - clip_len (int)
    - num_clips (int)
    - frame_interval (int or None)

    Args:
        clip_len (int): Frames of a clip.
        num_clips (int): Clips per video; in training each is drawn anew.
        test_mode (bool): Whether to take fixed frames.
        frame_interval (int, optional): Distance of neighbouring frames, where
            it is fixed. Defaults to None.

    Raises:
        ValueError: If a number is below 1.
    """

    def __init__(self,
                 clip_len: int,
                 num_clips: int,
                 test_mode: bool,
                 frame_interval: Optional[int] = None) -> None:
        for name, value in dict(
                clip_len=clip_len,
                frame_interval=frame_interval,
                num_clips=num_clips).items():
            if value is not None and value < 1:
                raise ValueError(f'{name} must be at least 1, but is {value}')
        self.clip_len = clip_len
        self.num_clips = num_clips
        self.test_mode = test_mode
        self.frame_interval = frame_interval

    def _random_clip(self, total_frames: int) -> np.ndarray:
        """Draw the frames of a clip, (clip_len, ), for training."""
        raise NotImplementedError

    def _fixed_clip(self, total_frames: int, clip: int) -> np.ndarray:
        """Return the frames of a clip, (clip_len, ), for test."""
        raise NotImplementedError

    def transform(self, results: dict) -> dict:
        """Choose the frames of a sample.

        Args:
            results (dict): The sample, with the required keys.

        Returns:
            dict: The sample, with the added keys.
        """
        total = results['total_frames']
        clips = [
            self._fixed_clip(total, clip)
            if self.test_mode else self._random_clip(total)
            for clip in range(self.num_clips)
        ]
        results['frame_inds'] = np.concatenate(clips) + results['start_index']
        results['clip_len'] = self.clip_len
        results['num_clips'] = self.num_clips
        results['frame_interval'] = self.frame_interval
        return results
