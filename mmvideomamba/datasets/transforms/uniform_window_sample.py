"""Sparse uniform sampling inside a window of a video."""
import logging
from typing import Any, Set

import numpy as np
from mmaction.datasets.transforms import UniformSample
from mmengine.logging import print_log

from mmvideomamba.registry import TRANSFORMS


@TRANSFORMS.register_module()
class UniformWindowSample(UniformSample):
    """The host's ``UniformSample``, inside a window given in seconds.

    The window ``[clip_start, clip_end]`` becomes the frames from
    ``floor(clip_start * fps)`` to ``floor(clip_end * fps)``, both at most the
    last of the video, and the rule of ``UniformSample`` is applied to these.
    So a window that begins behind the end of the video is its last frame, as
    published. A warning names such a video, once in each process that reads:
    the duration in its annotation is longer than the file.

    Required Keys:

    - total_frames (int)
    - start_index (int)
    - avg_fps (float): Frames per second
    - clip_start (float): Seconds
    - clip_end (float): Seconds
    - filename (str)

    Added Keys: those of ``UniformSample``.

    Args:
        clip_len (int): Frames of a clip.
        num_clips (int): Clips per window. Defaults to 1.
        test_mode (bool): Whether to take fixed frames. Defaults to False.

    Raises:
        ValueError: If a sample has no window.

    Source: VideoMamba, arXiv:2403.06977, Section 4.3.
    """

    # Told from other samplers by this, see ``CheckConfigHook``.
    samples_windows = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._warned: Set[str] = set()

    def transform(self, results: dict) -> dict:
        """Choose the frames of a sample.

        Args:
            results (dict): The sample, with the required keys.

        Returns:
            dict: The sample, with the added keys.

        Raises:
            ValueError: See the class.
        """
        if 'clip_start' not in results:
            raise ValueError(
                f'{results["filename"]} has no clip_start: '
                'UniformWindowSample needs a WindowVideoDataset with a '
                'window; for whole videos take UniformSample')
        fps, last = results['avg_fps'], results['total_frames'] - 1
        start = int(results['clip_start'] * fps)
        if start > last:
            self._warn(results)
        start = min(start, last)
        end = max(start, min(int(results['clip_end'] * fps), last))
        inside = dict(results, total_frames=end - start + 1, start_index=start)
        inds = super().transform(inside)['frame_inds']
        results['frame_inds'] = np.minimum(inds, end) + results['start_index']
        for key in ('clip_len', 'frame_interval', 'num_clips'):
            results[key] = inside[key]
        return results

    def __repr__(self) -> str:
        return (f'{self.__class__.__name__}(clip_len={self.clip_len}, '
                f'num_clips={self.num_clips}, test_mode={self.test_mode})')

    def _warn(self, results: dict) -> None:
        """Tell that a video ends before a window, once per video."""
        name = results['filename']
        if name in self._warned:
            return
        self._warned.add(name)
        print_log(
            f'the window {results["clip_start"]:g} to '
            f'{results["clip_end"]:g} s of {name} begins behind the end of '
            f'the video, which has {results["total_frames"]} frames at '
            f'{results["avg_fps"]:g} per second; its last frame is taken. '
            'Correct the duration in the annotation file, or get the whole '
            'video.',
            logger='current',
            level=logging.WARNING)
