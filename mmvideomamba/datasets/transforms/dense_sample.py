"""Sampler that takes frames at a fixed distance, as the published code."""
import numpy as np

from mmvideomamba.registry import TRANSFORMS
from .clip_sample import ClipSample


@TRANSFORMS.register_module()
class DenseSample(ClipSample):
    """Take clips of frames that are ``frame_interval`` apart.

    The dense sampler of the published Kinetics code, which no published run
    uses. With F frames in the video, a clip spans
    ``s = clip_len * frame_interval``:

    - test, clip c of K: from ``int(c * max((F - s) / (K - 1), 0))``, or the
      middle if K is 1, each ``frame_interval``-th frame; where the video
      ends, its last frame chosen is repeated;
    - training: ``clip_len`` points from ``e - s`` to ``e``, e drawn uniformly
      from ``s..F - 1``; of a video of at most s frames, points from 0 to F
      about ``frame_interval`` apart, filled up with the last frame.

    The host's ``SampleFrames`` has other ends, and repeats a short video.

    Required Keys:

    - total_frames (int)
    - start_index (int)

    Added Keys:

    - frame_inds (np.ndarray): Shape (num_clips * clip_len, ), int64, clip
      after clip, counted from ``start_index``
    - clip_len (int)
    - num_clips (int)
    - frame_interval (int)

    Args:
        clip_len (int): Frames of a clip.
        frame_interval (int): Distance of neighbouring frames. Defaults to 4.
        num_clips (int): Clips K per video; in training each is drawn anew.
            Defaults to 1.
        test_mode (bool): Whether to take fixed frames. Defaults to False.

    Raises:
        ValueError: If a number is below 1.
    """

    def __init__(self,
                 clip_len: int,
                 frame_interval: int = 4,
                 num_clips: int = 1,
                 test_mode: bool = False) -> None:
        super().__init__(clip_len, num_clips, test_mode, frame_interval)

    def _fixed_clip(self, total_frames: int, clip: int) -> np.ndarray:
        """Return the frames of a clip, (clip_len, ), for test."""
        span = self.clip_len * self.frame_interval
        margin = max(total_frames - span, 0)
        # The published rule has no single clip.
        share = clip / (self.num_clips - 1) if self.num_clips > 1 else 0.5
        start = int(share * margin)
        frames = np.arange(start, min(start + span, total_frames),
                           self.frame_interval)
        return np.pad(frames, (0, self.clip_len - len(frames)), mode='edge')

    def _random_clip(self, total_frames: int) -> np.ndarray:
        """Draw the frames of a clip, (clip_len, ), for training."""
        span = self.clip_len * self.frame_interval
        if total_frames <= span:
            points = np.linspace(0, total_frames,
                                 total_frames // self.frame_interval)
            missing = self.clip_len - len(points)
            points = np.pad(points, (0, missing), constant_values=total_frames)
            return np.clip(points, 0, total_frames - 1).astype(np.int64)
        end = np.random.randint(span, total_frames)
        points = np.linspace(end - span, end, self.clip_len)
        return np.clip(points, end - span, end - 1).astype(np.int64)

    def __repr__(self) -> str:
        return (f'{self.__class__.__name__}(clip_len={self.clip_len}, '
                f'frame_interval={self.frame_interval}, '
                f'num_clips={self.num_clips}, test_mode={self.test_mode})')
