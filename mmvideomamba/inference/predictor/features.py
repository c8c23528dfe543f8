"""Features of videos: of the clips of the test, of windows, of frames."""
from typing import Any, Iterator, List, NamedTuple, Optional, Tuple

import numpy as np
import torch
from mmengine.dataset import default_collate
from torch import Tensor

from mmvideomamba.datasets.video import MediaError
from ..clip_groups import clips_at_once, packed_groups
from ..inputs import input_name
from ..pipeline import VideoPipeline
from ..saved.description import find_backbone
from .feature_plan import FeaturePlan, make_plan
from .loaded_model import LoadedModel
from .streams import Part, in_order, read_streams

# Decoded frames that a thread holds.
MOST_BYTES = 2**27


class Features(NamedTuple):
    """Features of an input.

    Args:
        input (str): Path of the file, or the shape of an array.
        features (np.ndarray): A row for each clip, window or frame, (n, c),
            float32; (0, 0) for a bad input.
        spans (np.ndarray): First frame and the frame after the last of each
            row, (n, 2), int64.
        fps (float, optional): Average frame rate; None where unknown.
        frames (int): Frames of the video.
        error (str, optional): Why the input could not be read.
    """
    input: str
    features: np.ndarray
    spans: np.ndarray
    fps: Optional[float] = None
    frames: int = 0
    error: Optional[str] = None

    @property
    def times(self) -> Optional[np.ndarray]:
        """Start and end of each row in seconds, (n, 2); None without rate."""
        return self.spans / self.fps if self.fps else None


class _Head(NamedTuple):
    """A video before the features."""
    clips: np.ndarray
    total: int
    fps: Optional[float]


class FeatureExtractor:
    """Run the backbone of a model over videos of any length.

    Args:
        backend (LoadedModel): A recognizer or image classifier.
        batch_size (int): Clips at a time.
        workers (int): Videos read side by side.
        level (str): See ``Predictor.features``.
        interval (int, optional): See ``make_plan``.
        stride (int, optional): See ``make_plan``.

    Attributes:
        plan (FeaturePlan): The cut into rows.

    Raises:
        ValueError: If an argument is not allowed, or the model is of another
            kind.
    """

    def __init__(self, backend: Any, batch_size: int, workers: int, level: str,
                 interval: Optional[int], stride: Optional[int]) -> None:
        if not isinstance(backend, LoadedModel):
            raise ValueError('an exported file gives no features; give the '
                             'checkpoint or the saved folder')
        self.model = backend.model
        if not hasattr(self.model, 'backbone'):
            raise ValueError(
                f'{type(self.model).__name__}: features come from recognizers '
                'and image classifiers; save the backbone of this model in '
                'one')
        self.images = backend.images
        self.backbone = find_backbone(self.model)
        pipeline = backend.pipeline
        steps = [] if self.images else pipeline.original
        self.plan: FeaturePlan = make_plan(
            level, steps, self.backbone.num_frames,
            self.backbone.patch_embed.kernel_size[0], interval, stride)
        if self.images and level != 'clip':
            raise ValueError(f"level={level!r}: an image has no windows; take "
                             "level='clip'")
        if level != 'clip':
            # A window is read with a single crop, whatever the test takes.
            pipeline = VideoPipeline(pipeline.original, 'one')
        self.pipeline: Any = pipeline
        self.batch_size, self.workers = batch_size, workers

    def run(self, items: List[Any]) -> Iterator[Features]:
        """Extract the features of inputs.

        Args:
            items (list): Of ``Predictor.list_inputs``.

        Yields:
            Features: One for each input, in order.
        """
        for _, found in in_order(self._run(items), lambda pair: pair[0]):
            yield found

    def _run(self, items: List[Any]) -> Iterator[Tuple[int, Features]]:
        """Extract features, in the order of the ends."""
        heads: dict = {}
        rows: dict = {}
        for part in read_streams(items, self._parts, self.workers):
            index, name = part.number, input_name(items[part.number])
            if isinstance(part.value, _Head):
                heads[index], rows[index] = part.value, []
            elif part.value is not None:
                rows[index].append(self._forward(*part.value))
            else:
                yield index, self._finish(name, part, heads.pop(index, None),
                                          rows.pop(index, []))

    def _finish(self, name: str, part: Part, head: Optional[_Head],
                rows: List[np.ndarray]) -> Features:
        """Gather the rows of an input."""
        if isinstance(part.error, MediaError):
            return Features(
                name,
                np.zeros((0, 0), np.float32),
                np.zeros((0, 2), np.int64),
                error=str(part.error))
        if part.error is not None:
            raise part.error
        assert head is not None
        spans = self.plan.spans(head.clips, head.total)
        # The last window repeats the last frame, and the rows of repeats go.
        found = np.concatenate(rows)[:len(spans)]
        return Features(name, found, spans, head.fps, head.total)

    def _parts(self, item: Any) -> Iterator[Any]:
        """Read an input: a head, then groups of clips."""
        if self.images:
            yield _Head(np.zeros((1, 1), np.int64), 1, None)
            yield 1, self.pipeline(item)
            return
        choose, rest, sample = self.pipeline.parts(item)
        if choose is None:
            raise ValueError('the test pipeline has no sampler of frames, so '
                             'no clips are known; use a recipe with one')
        sample = self._choose(choose, sample)
        first = sample.get('start_index', 0)
        clips = sample['frame_inds'].reshape(int(sample['num_clips']),
                                             -1) - first
        yield _Head(clips, int(sample['total_frames']), sample.get('avg_fps'))
        group = min(clips_at_once(sample, MOST_BYTES), self.batch_size)
        yield from packed_groups(sample, rest, group)

    def _choose(self, choose: Any, sample: dict) -> dict:
        """Choose the frames of a video: the test's, or windows."""
        if self.plan.level == 'clip':
            return choose(sample)
        for step in choose.transforms[:-1]:
            sample = step(sample)
        clips = self.plan.windows(int(sample['total_frames']))
        return dict(
            sample,
            frame_inds=clips.reshape(-1) + sample.get('start_index', 0),
            clip_len=self.plan.length,
            num_clips=len(clips),
            frame_interval=self.plan.interval)

    @torch.no_grad()
    def _forward(self, count: int, packed: dict) -> np.ndarray:
        """Return the rows (n, c) of some clips."""
        model: Any = self.model
        if self.images:
            data = model.data_preprocessor(default_collate([packed]), False)
            return self._pool(model.backbone(data['inputs']))
        found = []
        for views in packed['inputs'].split(self.batch_size):
            data = model.data_preprocessor(
                dict(inputs=[views], data_samples=[packed['data_samples']]),
                False)
            # (1, m, 3, t, h, w) to (m, 3, t, h, w).
            found.append(self._features(data['inputs'].flatten(0, 1)))
        rows = np.concatenate(found)
        # All clips of the first crop come first, then those of the next.
        rows = rows.reshape(-1, count, *rows.shape[1:]).mean(0)
        return rows.reshape(-1, rows.shape[-1])

    def _features(self, clips: Tensor) -> np.ndarray:
        """Return features of clips, (b, c), or of frames, (b, t, c)."""
        backbone: Any = self.backbone
        if self.plan.level != 'frame':
            return self._pool(self.model.backbone(clips))
        kept, backbone.out_type = backbone.out_type, 'featmap'
        try:
            # A captured graph would keep the other type.
            outs = type(backbone).forward(backbone, clips)
        finally:
            backbone.out_type = kept
        maps = self._last(outs)
        if maps.dim() == 4:  # an image model in a recognizer
            maps = maps.unsqueeze(2)
        # (b, c, t, h, w) to (b, t, c).
        return maps.mean((3, 4)).transpose(1, 2).float().cpu().numpy()

    def _last(self, outs: Tuple[Tensor, ...]) -> Tensor:
        """Return the deepest features after the norm."""
        return outs[max(len(self.backbone.out_indices), 1) - 1]

    def _pool(self, outs: Tuple[Tensor, ...]) -> np.ndarray:
        """Return one vector a clip, (b, c), as the out type asks."""
        found = self._last(outs)
        if self.backbone.out_type == 'raw':
            # Tokens (b, 1 + tokens, c) to the class token (b, c).
            found = found[:, 0]
        elif found.dim() > 2:
            found = found.flatten(2).mean(2)
        return found.float().cpu().numpy()
