"""Sparse uniform sampling inside a window of a video."""
import logging
from typing import Any, Optional, Set

import numpy as np
from mmaction.datasets.transforms import UniformSample
from mmengine.logging import print_log

from mmvideomamba.registry import TRANSFORMS
from ..windows import find_windows, pick_windows


@TRANSFORMS.register_module()
class UniformWindowSample(UniformSample):
    """The host's ``UniformSample``, inside a window given in seconds.

    The window ``[clip_start, clip_end]`` becomes the frames from
    ``floor(clip_start * fps)`` to ``floor(clip_end * fps)``, both at most the
    last of the video, and the rule of ``UniformSample`` is applied to the
    frames between. So a window after the end of the video is the last frame,
    as published. A warning names the video, once in each reading process: the
    annotated duration is longer than the file.

    A sample without a window is a whole video, from an inferencer: given
    ``window``, the windows of the video are cut by the rule of
    ``WindowVideoDataset``, from the length of the file, and the clips of all
    of them become the clips of the sample.

    Required Keys:

    - total_frames (int)
    - start_index (int)
    - avg_fps (float): Frames per second
    - clip_start (float, optional): Seconds
    - clip_end (float, optional): Seconds
    - filename (str)

    Added Keys: the same as of ``UniformSample``.

    Args:
        *args: Arguments of ``UniformSample``: ``clip_len``, frames of a clip;
            ``num_clips``, clips per window, 1 by default; ``test_mode``,
            whether to take fixed frames, False by default.
        window (float, optional): Length of the windows of a whole video, in
            seconds. None refuses a sample without a window. Defaults to None.
        stride (float): Distance of the windows' starts, in seconds. Defaults
            to 16.
        num_windows (int, optional): Windows of a whole video to take, spread
            evenly. Defaults to None, all.
        **kwargs: Arguments of ``UniformSample`` by name.

    Raises:
        ValueError: If a sample has no window and none can be cut.

    Source: VideoMamba, arXiv:2403.06977, Section 4.3.
    """

    # Told from other samplers by this, see ``CheckConfigHook``.
    samples_windows = True

    def __init__(self,
                 *args: Any,
                 window: Optional[float] = None,
                 stride: float = 16.,
                 num_windows: Optional[int] = None,
                 **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.window, self.stride = window, stride
        self.num_windows = num_windows
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
        windows = [(results.get('clip_start'), results.get('clip_end'))]
        if windows[0][0] is None:
            windows = self._windows_of(results)
        parts = []
        for start, end in windows:
            part = dict(results, clip_start=start, clip_end=end)
            parts.append(self._sample_window(part))
            # The keys added by the host's sampler.
            for key in ('clip_len', 'frame_interval', 'num_clips'):
                results[key] = part[key]
        results['num_clips'] *= len(windows)
        results['frame_inds'] = np.concatenate(parts)
        return results

    def _windows_of(self, results: dict) -> list:
        """Cut a whole video into windows."""
        name = results.get('filename') or results.get('frame_dir', 'the array')
        if self.window is None:
            raise ValueError(
                f'{name} has no clip_start: UniformWindowSample needs a '
                'WindowVideoDataset with a window; for whole videos take '
                'UniformSample')
        if not results.get('avg_fps'):
            raise ValueError(
                f'{name} has no frame rate, which windows in seconds need; '
                'give dict(array=FRAMES, fps=25) or dict(frame_dir=FOLDER, '
                'fps=25)')
        duration = results['total_frames'] / results['avg_fps']
        return pick_windows(
            find_windows(duration, self.window, self.stride), self.num_windows)

    def _sample_window(self, results: dict) -> np.ndarray:
        """Choose the frames of a window, and add the host's keys."""
        fps, last = results['avg_fps'], results['total_frames'] - 1
        start = int(results['clip_start'] * fps)
        if start > last:
            self._warn(results)
        start = min(start, last)
        end = max(start, min(int(results['clip_end'] * fps), last))
        inside = dict(results, total_frames=end - start + 1, start_index=start)
        inds = super().transform(inside)['frame_inds']
        for key in ('clip_len', 'frame_interval', 'num_clips'):
            results[key] = inside[key]
        return np.minimum(inds, end) + results['start_index']

    def __repr__(self) -> str:
        return (f'{self.__class__.__name__}(clip_len={self.clip_len}, '
                f'num_clips={self.num_clips}, test_mode={self.test_mode}, '
                f'window={self.window}, stride={self.stride}, '
                f'num_windows={self.num_windows})')

    def _warn(self, results: dict) -> None:
        """Warn of a video shorter than a window, once per video."""
        name = results['filename']
        if name in self._warned:
            return
        self._warned.add(name)
        print_log(
            f'the window {results["clip_start"]:g} to '
            f'{results["clip_end"]:g} s of {name} begins after the end of '
            f'the video, which has {results["total_frames"]} frames at '
            f'{results["avg_fps"]:g} per second; its last frame is taken. '
            'Correct the duration in the annotation file, or get the whole '
            'video.',
            logger='current',
            level=logging.WARNING)
