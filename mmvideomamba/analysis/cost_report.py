"""Cost of the model of a config, for a sample."""
from typing import Any, Dict, List

import torch
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from mmengine.registry import MODELS, TRANSFORMS, init_default_scope
from torch import Tensor, nn

from mmvideomamba.command_line import default_scope
from mmvideomamba.models import VideoMamba
from .mac_counter import PUBLISHED, Count, count_macs, sum_by_kind

# Two, because the losses of videos and texts compare the pairs of a batch.
TRAINING_BATCH = 2


def build_model(cfg: Config) -> nn.Module:
    """Build the model of a config, without loading weights.

    Args:
        cfg (Config): The config.

    Returns:
        nn.Module: The model.
    """
    # Plain types of the config are those of the host.
    init_default_scope(default_scope(cfg))
    return MODELS.build(cfg.model)


def views_of(cfg: Config) -> int:
    """Return the views of a sample in the test, clips by crops.

    Args:
        cfg (Config): The config.

    Returns:
        int: 1 if the config names no views.
    """
    loader = cfg.get('test_dataloader') or {}
    steps = loader.get('dataset', {}).get('pipeline', [])
    clips = [step.get('num_clips', 1) for step in steps]
    crops = [
        # ThreeCrop of the host names no number.
        step.get('num_crops', 3) for step in steps
        if step['type'] in ('ThreeCrop', 'mmvideomamba.EvenCrops')
    ]
    return max(clips, default=1) * max(crops, default=1)


def _input_of(backbone: nn.Module, batch: int, device: str) -> Tensor:
    """Make zeros of the size of a backbone's images or clips."""
    frames: Any = backbone.num_frames
    size: Any = backbone.img_size
    shape = (batch, 3, frames, *size) if frames > 1 else (batch, 3, *size)
    return torch.zeros(shape, device=device)


def _view(model: Any) -> None:
    """Run a recognizer or a classifier on a view."""
    x = _input_of(model.backbone, 1, 'meta')
    if hasattr(model, 'cls_head'):
        clips = x if x.dim() == 5 else x.unsqueeze(2)
        features, kwargs = model.extract_feat(
            clips.unsqueeze(1), stage='neck', test_mode=True)
        model.cls_head(features, **kwargs)
    else:
        model(x, mode='tensor')


def _sample(masks: List[Any], number: int) -> ActionDataSample:
    """Make a sample with every annotation that a loss reads."""
    sample = ActionDataSample()
    sample.set_gt_label(0)
    sample.set_field(' '.join(['a'] * 512), 'text')  # cut to the longest
    sample.set_field(number, 'pair_id')
    for mask in masks:
        sample.set_field(mask, 'mask')
    return sample


def _masks_of(cfg: Config) -> List[Any]:
    """Draw the mask of the training pipeline, if there is one."""
    pipeline = cfg.get('train_dataloader', {}).get('dataset',
                                                   {}).get('pipeline', [])
    return [
        TRANSFORMS.build(step)({})['mask'] for step in pipeline
        if step['type'] == 'mmvideomamba.TokenMask'
    ]


def _training_batch(model: Any) -> int:
    """Return a number of samples with enough wrong partners of each pair."""
    return max(TRAINING_BATCH, getattr(model, 'vtm_negatives', 0) + 1)


def _training(model: Any, backbone: nn.Module, masks: List[Any]) -> None:
    """Run a loss on the CPU: masks are chosen by values."""
    batch = _training_batch(model)
    x = _input_of(backbone, batch, 'cpu')
    if hasattr(model, 'cls_head'):
        # (b, 1, 3, t, h, w): recognizers of mmaction2 take an axis of views.
        x = (x if x.dim() == 5 else x.unsqueeze(2)).unsqueeze(1)
    elif not hasattr(model, 'head') and x.dim() == 4:
        x = x.unsqueeze(2)
    model.loss(x, [_sample(masks, i) for i in range(batch)])


def _backbone_of(model: Any) -> nn.Module:
    """Return the backbone of a model or of the vision tower of a model."""
    vision = getattr(model, 'vision_encoder', model)
    backbone = getattr(vision, 'backbone', None)
    if not isinstance(backbone, VideoMamba):
        raise ValueError(f'the backbone is a {type(backbone).__name__}; only '
                         'models around mmvideomamba.VideoMamba are counted')
    return backbone


def _trains_beside(model: nn.Module) -> bool:
    """Tell whether a teacher or a text tower takes part in training."""
    names = ('target_generator', 'distill_head', 'vision_encoder')
    return any(getattr(model, name, None) is not None for name in names)


def _classifies(model: nn.Module) -> bool:
    """Tell whether a model scores classes from a view."""
    names = ('target_generator', 'vision_encoder')
    return not any(hasattr(model, name) for name in names)


def count_view(model: Any) -> Dict[Count, int]:
    """Count the operations of a classifier or a recognizer on a view.

    Args:
        model (nn.Module): The model; the weights are lost.

    Returns:
        dict[Count, int]: Multiply-accumulates of an image or a clip of the
        size of the backbone, by part and kind.

    Raises:
        ValueError: If the backbone is not a ``VideoMamba``.
    """
    _backbone_of(model)
    return count_macs(model.to('meta'), lambda: _view(model))


def count_training(model: Any, cfg: Config) -> Dict[Count, int]:
    """Count the operations of the forward of a training sample.

    Teacher, masked student, texts and heads of the losses take part.

    Args:
        model (nn.Module): The model, on the CPU: masks depend on values.
        cfg (Config): Config of the model, for masks drawn in the pipeline.

    Returns:
        dict[Count, int]: Multiply-accumulates of a sample, by part and kind.

    Raises:
        ValueError: If the backbone is not a ``VideoMamba``.
    """
    backbone = _backbone_of(model)
    outside = {}
    if hasattr(model, 'distill_head'):
        teacher = model.distill_head.teacher
        teacher.loaded = True  # shapes are enough
        outside['teacher'] = teacher.backbone
    masks = _masks_of(cfg)
    counts = count_macs(model, lambda: _training(model, backbone, masks),
                        outside)
    batch = _training_batch(model)
    return {key: n // batch for key, n in counts.items()}


def _table(rows: Dict[str, int]) -> List[str]:
    return [f'{name:<38}{n / 1e9:>12.4f} G' for name, n in rows.items()]


def cost_report(cfg: Config) -> str:
    """Describe the cost of the model of a config.

    Args:
        cfg (Config): The config.

    Returns:
        str: A table by kind for a view of a classifier or a recognizer; a
        table by part and kind for the forward of a training sample, if a
        teacher or a text tower takes part; sums, and parameters.

    Raises:
        ValueError: If the backbone is not a ``VideoMamba``.
    """
    model = build_model(cfg)
    backbone: Any = _backbone_of(model)
    height, width = backbone.img_size
    size = f'{backbone.num_frames} frame(s) of {width}x{height}'
    params = sum(p.numel() for p in model.parameters())
    training, view = [], []
    if _trains_beside(model):
        counts = count_training(model, cfg)
        rows = {f'{part}: {kind}': n for (part, kind), n in counts.items()}
        rows['all, training'] = sum(counts.values())
        training = [f'forward of a training sample: {size}', *_table(rows)]
    if _classifies(model):
        rows = sum_by_kind(count_view(model))
        everything = sum(rows.values())
        rows['published rule'] = sum(rows.get(kind, 0) for kind in PUBLISHED)
        rows['all'] = everything
        views = views_of(cfg)
        rows['all, test of a sample'] = views * everything
        view = [f'one view: {size}', *_table(rows)]
        view[-1] += f'  ({views} view(s))'
    return '\n'.join([*view, *training, f'{"parameters":<38}{params:>12,d}'])
