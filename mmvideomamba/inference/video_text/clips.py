"""Clips of windows of a video, each frame decoded and resized once."""
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Tuple

import numpy as np
import torch
from torch import Tensor

from mmvideomamba.datasets.video import VideoReader
from ..clip_groups import OpenReader, frame_size
from ..inputs import input_name
from ..pipeline import VideoPipeline
from ..views import count_views, step_name
from .windows import frames_between

# Decoded frames that a thread holds.
MOST_BYTES = 2**27
# From the seconds of a video, 0 where unknown, to windows (n, 2) in seconds.
Cut = Callable[[float], np.ndarray]


class VideoHead(NamedTuple):
    """A video before its clips.

    Args:
        spans (np.ndarray): Start and end of each window in seconds, (n, 2).
        duration (float): Seconds of the video; 0 where unknown.
        fps (float): Frames per second on average; 0 where unknown.
    """
    spans: np.ndarray
    duration: float
    fps: float


class ClipReader:
    """Read the clip of each window as the test reads that of a video.

    The sampler of the test chooses from the frames of the window as from a
    video of these frames alone. A frame of several windows is decoded once.

    Args:
        pipeline (VideoPipeline): Of the test.
        group (int): Windows at a time, at most.

    Attributes:
        images (bool): Whether the model takes images.

    Raises:
        ValueError: If the pipeline makes several views of a video.
    """

    def __init__(self, pipeline: VideoPipeline, group: int) -> None:
        self.pipeline, self.group = pipeline, group
        steps = pipeline.steps
        clips, crops, windows = count_views(steps)
        if clips * crops != 1 or windows:
            raise ValueError(
                f'the test pipeline makes {clips} clips with {crops} crops, '
                'but a model of videos and texts takes a single view; set '
                'num_clips=1 and a single crop')
        self.images = any(step_name(step) == 'ReadImage' for step in steps)

    def read(self, item: Any, cut: Cut) -> Iterator[Any]:
        """Read a video.

        Args:
            item (Any): Of ``expand_inputs``.
            cut (Callable): Places the windows.

        Yields:
            VideoHead | list[Tensor]: The head, then lists of clips, each
            (1, 3, t, h, w), uint8, a clip for each window.

        Raises:
            MediaError: If the video cannot be read.
            ValueError: If windows are asked for and no frame rate is known.
        """
        choose, rest, sample = self.pipeline.parts(item)
        if choose is None:
            # An image, or a pipeline without a sampler, has neither times nor
            # windows.
            spans = cut(0.)
            yield VideoHead(spans[:1], 0., 0.)
            yield [rest(sample)['inputs']]
            return
        *opening, sampler = choose.transforms
        for step in opening:
            sample = step(sample)
        reader = sample.get('video_reader')
        try:
            times, fps = _times(sample)
            duration = float(times[-1] + 1 / fps) if fps else 0.
            spans = cut(duration)
            if len(spans) > 1 and not fps:
                raise ValueError(
                    f'{input_name(item)} has no frame rate, which windows in '
                    'seconds need; give dict(array=FRAMES, fps=25) or '
                    'dict(frame_dir=FOLDER, fps=25)')
            yield VideoHead(spans, duration, fps)
            chosen = [_choose(sampler, sample, times, fps, *s) for s in spans]
            yield from self._clips(sample, rest, chosen)
        finally:
            if reader is not None:
                reader.close()

    def _clips(self, sample: dict, rest: Callable[[dict], dict],
               chosen: List[np.ndarray]) -> Iterator[List[Tensor]]:
        """Yield the clips of windows, a group at a time."""
        kept: Dict[int, Tensor] = {}
        for start in range(0, len(chosen), self.group):
            part = chosen[start:start + self.group]
            wanted = np.unique(np.concatenate(part))
            # Windows begin one after the other.
            kept = {k: v for k, v in kept.items() if k >= wanted[0]}
            new = [i for i in wanted.tolist() if i not in kept]
            kept.update(_decode(sample, rest, new))
            yield [
                # (1, 3, h, w) each to (1, 3, t, h, w).
                torch.stack([kept[i] for i in inds.tolist()], 2)
                for inds in part
            ]


def _times(sample: dict) -> Tuple[np.ndarray, float]:
    """Return when the frames appear, in seconds, and the average rate."""
    reader, fps = sample.get('video_reader'), sample.get('avg_fps')
    if isinstance(reader, VideoReader):
        # The frames' own times, as an average rate misplaces frames of uneven
        # rates.
        return reader.frame_times(), float(reader.avg_fps)
    numbers = np.arange(int(sample['total_frames']))
    return (numbers / fps, float(fps)) if fps else (numbers, 0.)


def _choose(sampler: Callable[[dict], dict], sample: dict, times: np.ndarray,
            fps: float, start: float, end: float) -> np.ndarray:
    """Choose the frames of a window by the sampler of the test."""
    first, behind = 0, len(times)
    if fps:
        first, behind = frames_between(times, start, end)
    # The sampler sees a shorter video: the frames of the window.
    part = dict(
        sample,
        total_frames=behind - first,
        start_index=sample.get('start_index', 0) + first)
    return sampler(part)['frame_inds'].reshape(-1)


def _decode(sample: dict, rest: Callable[[dict], dict],
            numbers: List[int]) -> Dict[int, Tensor]:
    """Decode frames, some at a time, and run the other steps of the test.

    The steps treat each frame alone, so several frames pass as one clip.
    """
    size = frame_size(sample)
    most = len(numbers)
    if size is not None:
        most = max(1, MOST_BYTES // (3 * size[0] * size[1]))
    found: Dict[int, Tensor] = {}
    for start in range(0, len(numbers), most):
        some = numbers[start:start + most]
        part = dict(
            sample,
            frame_inds=np.array(some),
            clip_len=len(some),
            num_clips=1,
            frame_interval=None)
        if sample.get('video_reader') is not None:
            part['video_reader'] = OpenReader(sample['video_reader'])
        # (1, 3, t, h, w)
        frames = rest(part)['inputs']
        # A copy, so that no frame holds all others.
        found.update((n, x.clone()) for n, x in zip(some, frames.unbind(2)))
    return found
