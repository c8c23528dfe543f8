"""Sampler of a frame from each segment of a video."""
import numpy as np
from mmcv.transforms import BaseTransform

from mmvideomamba.registry import TRANSFORMS


@TRANSFORMS.register_module()
class SegmentSample(BaseTransform):
    """Cut a video into equal segments and take a frame from each.

    The sampler of the published Something-Something V2 and masked-pretraining
    runs. With F frames in the video, T = ``clip_len``, segment i = 0..T-1:

    - training: ``i * floor(F / T) + r``, r drawn uniformly from
      ``0..floor(F / T) - 1`` with numpy's global generator; T times frame 0
      if the video has fewer than T frames;
    - validation (``test_mode``, 1 clip): ``floor(F / T * (i + 1/2))``;
    - test (``test_mode``, K clips), clip c: ``floor(F / T * (i + c / K))``.
      The published test takes two clips.

    The published data set of raw frames, ``raw_frames``, differs in two
    places: validation takes ``i * floor(F / T) + floor(floor(F / T) / 2)``,
    and a video with fewer than T frames, in training or validation, gives all
    frames once, after copies of frame 0.

    The host's ``SampleFrames(clip_len=1, num_clips=T)`` gives T clips of 1
    frame instead of a single clip of T frames, and spreads the frames of a
    short video.

    Required Keys:

    - total_frames (int)
    - start_index (int)

    Added Keys:

    - frame_inds (np.ndarray): Shape (num_clips * clip_len, ), int64, clip
      after clip, counted from ``start_index``
    - clip_len (int)
    - num_clips (int)
    - frame_interval (None)

    Args:
        clip_len (int): Frames T of a clip.
        num_clips (int): Clips K per video, each drawn anew in training.
            Defaults to 1.
        test_mode (bool): Whether to take fixed frames. Defaults to False.
        raw_frames (bool): Whether to follow the published rule for folders
            of frames. Defaults to False.

    Raises:
        ValueError: If ``clip_len`` or ``num_clips`` is below 1.

    Source: Temporal Segment Networks, arXiv:1608.00859, Section 3.1.
    """

    def __init__(self,
                 clip_len: int,
                 num_clips: int = 1,
                 test_mode: bool = False,
                 raw_frames: bool = False) -> None:
        for name, value in dict(
                clip_len=clip_len, num_clips=num_clips).items():
            if value < 1:
                raise ValueError(f'{name} must be at least 1, but is {value}')
        self.clip_len = clip_len
        self.num_clips = num_clips
        self.test_mode = test_mode
        self.raw_frames = raw_frames

    def _short_clip(self, total_frames: int) -> np.ndarray:
        """Return the frames, (clip_len, ), of a video shorter than a clip."""
        frames = np.zeros(self.clip_len, dtype=np.int64)
        if self.raw_frames:
            frames[self.clip_len - total_frames:] = np.arange(total_frames)
        return frames

    def _random_clip(self, total_frames: int) -> np.ndarray:
        """Draw the frames of a clip, (clip_len, ), for training."""
        length = total_frames // self.clip_len
        if length == 0:
            return self._short_clip(total_frames)
        return length * np.arange(self.clip_len) + np.random.randint(
            length, size=self.clip_len)

    def _fixed_clip(self, total_frames: int, clip: int) -> np.ndarray:
        """Return the frames of a clip, (clip_len, ), for test."""
        if self.raw_frames and self.num_clips == 1:
            whole = total_frames // self.clip_len
            if whole == 0:
                return self._short_clip(total_frames)
            return whole * np.arange(self.clip_len) + whole // 2
        # The frames are cut to whole numbers at the end; the published
        # training cuts the length of a segment instead.
        length = total_frames / self.clip_len
        # A single clip takes the middle of each segment.
        start = length / 2 if self.num_clips == 1 else (length * clip /
                                                        self.num_clips)
        frames = start + length * np.arange(self.clip_len)
        return frames.astype(np.int64)

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
        results['frame_interval'] = None
        return results

    def __repr__(self) -> str:
        return (f'{self.__class__.__name__}(clip_len={self.clip_len}, '
                f'num_clips={self.num_clips}, test_mode={self.test_mode}, '
                f'raw_frames={self.raw_frames})')
