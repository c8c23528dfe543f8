"""Models from pixels to probabilities, as exported files hold them."""
from typing import Any, Dict, Optional, Sequence, Tuple, Union

import torch
from mmaction.models import BaseRecognizer
from mmpretrain.models import ImageClassifier
from torch import Tensor, nn

from mmvideomamba.inference.saved.description import (describe_input,
                                                      find_backbone, task_of)
from mmvideomamba.models import VideoMamba

Size = Union[int, str]
FREE = ('batch', 'views')  # axes of any length


class ExportWrapper(nn.Module):
    """A model with a single input, and outputs with names.

    Args:
        backbone (VideoMamba): Backbone of the model; sets the input sizes.

    Attributes:
        input_name (str): Name of the argument of ``forward``.
        input_dtype (torch.dtype): Of the input.
        input_axes (tuple[int | str]): Shape of the input; 'batch' and 'views'
            may have any length.
        output_axes (dict[str, tuple[str]]): Free axes of each output, the
            first of the shape, by name and in order.
        scores (tuple[str]): Outputs with values around 1, compared with an
            absolute tolerance; others are compared in shares of the largest
            value.

    Raises:
        ValueError: If the backbone does not take three channels.
    """

    input_name = 'frames'
    input_dtype = torch.uint8
    scores: Tuple[str, ...] = ('probabilities', 'logits')

    def __init__(self, backbone: VideoMamba) -> None:
        super().__init__()
        self.input_axes: Tuple[Size,
                               ...] = ('batch', 'views', backbone.num_frames,
                                       *backbone.img_size, 3)
        self.output_axes: Dict[str, Tuple[str, ...]] = {}
        if backbone.in_channels != 3:
            raise ValueError(
                f'the backbone takes {backbone.in_channels} channels, but '
                'files are exported for colour frames, of 3')

    def random_input(self, free: Sequence[int], seed: int = 0) -> Tensor:
        """Draw an input.

        Args:
            free (Sequence[int]): Length of each free axis.
            seed (int): Of the generator. Defaults to 0.

        Returns:
            Tensor: Uniform pixel values, or normal numbers for floats.
        """
        lengths: Dict[Size, int] = dict(zip(FREE, free))
        shape = [int(lengths.get(a, a)) for a in self.input_axes]
        generator = torch.Generator().manual_seed(seed)
        if self.input_dtype == torch.uint8:
            return torch.randint(
                0, 256, shape, dtype=torch.uint8, generator=generator)
        return torch.randn(shape, generator=generator)


class _Pixels(nn.Module):
    """Normalise RGB pixels, channels last, as a model's preprocessor does."""

    mean: Tensor
    std: Tensor

    def __init__(self, model: nn.Module, task: str) -> None:
        super().__init__()
        found = describe_input(model, task)
        # A file takes RGB, whatever the model was trained on.
        self.flips = found['channels'] != 'RGB'
        for name in ('mean', 'std'):
            value = torch.tensor(found[name]).view(3, 1, 1, 1)
            self.register_buffer(name, value, persistent=False)

    def forward(self, frames: Tensor) -> Tensor:
        """Normalise frames (b, t, h, w, 3) to clips (b, 3, t, h, w)."""
        if self.flips:
            frames = frames.flip(-1)
        clips = frames.permute(0, 4, 1, 2, 3).float()
        return (clips - self.mean) / self.std


def _probabilities(scores: Tensor, several: bool) -> Tensor:
    """Turn scores (..., k) into the probability of each class."""
    return scores.sigmoid() if several else scores.softmax(dim=-1)


class WholeRecognizer(ExportWrapper):
    """A recognizer of mmaction2, from frames to probabilities.

    Normalisation, network, head and the average over the views of a video are
    the same as in the recognizer; the frames come from the test pipeline.

    Args:
        model (BaseRecognizer): With a VideoMamba and a head for classes or
            for a number.

    Raises:
        ValueError: If the head does not average the views of a video.
    """

    def __init__(self, model: BaseRecognizer) -> None:
        super().__init__(find_backbone(model))
        head: Any = model.cls_head
        self.number = bool(getattr(head, 'predicts_number', False))
        self.several = bool(getattr(head, 'multi_class', False))
        self.average = head.average_clips
        if self.average not in ('prob', 'score'):
            raise ValueError(
                f'average_clips of the head is {self.average!r}, so the views '
                'of a video have no common result; set '
                "model.cls_head.average_clips='prob'")
        self.pixels = _Pixels(model, 'video-classification')
        self.backbone = model.backbone
        self.neck = model.neck if model.with_neck else None
        self.head = head
        # The host's own settings of a test.
        test_cfg = model.test_cfg
        self.head_kwargs = {} if test_cfg is None else dict(
            fcn_test=bool(test_cfg.get('fcn_test', False)))
        if self.number:
            self.scores = ()
            self.output_axes = dict(value=('batch', ))
        else:
            self.output_axes = dict(
                probabilities=('batch', ), logits=('batch', 'views'))

    def forward(self, frames: Tensor) -> Tuple[Tensor, ...]:
        """Score videos.

        Args:
            frames (Tensor): Views of videos, RGB, shape (b, m, t, h, w, 3),
                uint8.

        Returns:
            tuple[Tensor]: Probabilities (b, k) and logits (b, m, k); of a
            model of numbers the value (b, ).
        """
        b, m = frames.shape[:2]
        # Views as clips, (b * m, t, h, w, 3).
        features = self.backbone(self.pixels(frames.flatten(0, 1)))
        if self.neck is not None:
            features, _ = self.neck(features)
        logits = self.head(features, **self.head_kwargs)
        logits = logits.unflatten(0, (b, m))  # (b, m, k)
        if self.number:
            return (logits.mean(dim=1).flatten(), )
        if self.average == 'score':
            mean = _probabilities(logits.mean(dim=1), self.several)
        else:
            mean = _probabilities(logits, self.several).mean(dim=1)
        return mean, logits


class WholeClassifier(ExportWrapper):
    """An image classifier of mmpretrain, from pixels to probabilities.

    Args:
        model (ImageClassifier): With a VideoMamba and a head of scores.

    Raises:
        ValueError: If the preprocessor would pad images of the model's size.
    """

    input_name = 'image'

    def __init__(self, model: ImageClassifier) -> None:
        backbone = find_backbone(model)
        super().__init__(backbone)
        self.input_axes = ('batch', *backbone.img_size, 3)
        divisor = getattr(model.data_preprocessor, 'pad_size_divisor', 1)
        if any(side % divisor for side in backbone.img_size):
            raise ValueError(
                f'the data preprocessor pads images to multiples of {divisor},'
                f' but the backbone takes {backbone.img_size}; set '
                'data_preprocessor.pad_size_divisor=1')
        self.pixels = _Pixels(model, 'image-classification')
        self.backbone = model.backbone
        self.neck = model.neck if model.with_neck else None
        self.head: Any = model.head
        self.several = type(self.head).__name__.startswith('MultiLabel')
        self.output_axes = dict(probabilities=('batch', ), logits=('batch', ))

    def forward(self, image: Tensor) -> Tuple[Tensor, Tensor]:
        """Score images.

        Args:
            image (Tensor): RGB, shape (b, h, w, 3), uint8.

        Returns:
            tuple[Tensor]: Probabilities and logits, both (b, k).
        """
        pixels = self.pixels(image.unsqueeze(1)).squeeze(2)  # (b, 3, h, w)
        features = self.backbone(pixels)
        if self.neck is not None:
            features = self.neck(features)
        logits = self.head(features)
        return _probabilities(logits, self.several), logits


class BareBackbone(ExportWrapper):
    """A backbone alone, from normalised clips to features.

    Args:
        backbone (nn.Module): A VideoMamba, or a VideoMamba inside adapters.
    """

    input_name = 'clips'
    input_dtype = torch.float32
    scores = ()

    def __init__(self, backbone: nn.Module) -> None:
        inner = _inside(backbone)
        assert inner is not None
        super().__init__(inner)
        self.input_axes = ('batch', 3, inner.num_frames, *inner.img_size)
        self.backbone = backbone
        names = [f'features_{i}' for i in inner.out_indices]
        names += [f'stream_{i}' for i in inner.stream_indices]
        self.output_axes = {
            name: ('batch', )
            for name in (names if len(names) > 1 else ['features'])
        }

    def forward(self, clips: Tensor) -> Tuple[Tensor, ...]:
        """Extract features.

        Args:
            clips (Tensor): Shape (b, 3, t, h, w), float32.

        Returns:
            tuple[Tensor]: As in ``VideoMamba``, see ``out_type``.
        """
        return tuple(self.backbone(clips))


def _inside(model: nn.Module) -> Optional[VideoMamba]:
    """Return the first VideoMamba of a module, or None."""
    found = (m for m in model.modules() if isinstance(m, VideoMamba))
    return next(found, None)


def wrap(model: nn.Module) -> ExportWrapper:
    """Choose the wrapper of a model.

    Args:
        model (nn.Module): A recognizer, an image classifier or a backbone.

    Returns:
        ExportWrapper: Shares the weights of the model, and leaves out the
        parts for training alone, a teacher for instance.

    Raises:
        ValueError: If the model is of another kind, with the reason.
    """
    if isinstance(model, BaseRecognizer) and model.with_cls_head:
        return WholeRecognizer(model)
    if isinstance(model, ImageClassifier) and model.with_head:
        return WholeClassifier(model)
    bare = not hasattr(model, 'data_preprocessor')
    if bare and _inside(model) is not None:
        return BareBackbone(model)
    kind = type(model).__name__
    if hasattr(model, 'vision_encoder'):
        raise ValueError(
            f'{kind} compares videos with texts: the texts of a user are one '
            'of the inputs, and a file takes frames alone; export the '
            'backbone, model.vision_encoder.backbone')
    task_of(model)
    raise ValueError(f'{kind} has no head to export; export model.backbone')
