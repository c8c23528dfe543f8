"""Size of the frames from a pipeline, against the size of the backbone."""
from typing import Any, Iterator, List, Optional, Set, Tuple

from .parts import parts_of

BACKBONE = 'mmvideomamba.VideoMamba'
Size = Tuple[int, int]
# Steps without effect on the size of a frame.
_KEEP = {
    'CenterCrop', 'Flip', 'ColorJitter', 'FormatShape', 'PackActionInputs',
    'Normalize', 'PackInputs', 'RandomErasing', 'RandomFlip',
    'mmvideomamba.ClipRandAugment', 'mmvideomamba.ClipRandomErasing',
    'mmvideomamba.TokenMask', 'mmvideomamba.ShuffleFrames'
}
# Step: argument with the size of the output.
_CROPS = {
    'CenterCrop': 'crop_size',
    'ThreeCrop': 'crop_size',
    'mmvideomamba.EvenCrops': 'crop_size',
    'mmvideomamba.ClipRandomResizedCrop': 'scale',
}
_HOST_CROPS = dict(
    mmaction={'RandomCrop': 'size'},
    mmpretrain={
        'RandomCrop': 'crop_size',
        'RandomResizedCrop': 'scale'
    })


def _square(value: Any) -> Optional[Size]:
    """Return height and width of a side; pairs have no common order."""
    pair = [value, value] if isinstance(value, int) else value
    if isinstance(pair, (list, tuple)) and len(pair) == 2 and \
            all(isinstance(n, int) and n > 0 for n in pair) and \
            pair[0] == pair[1]:
        return pair[0], pair[1]
    return None


def output_size(pipeline: Any, scope: str) -> Optional[Size]:
    """Return height and width of the frames from a pipeline.

    Args:
        pipeline (list[dict]): Steps of a data set.
        scope (str): Default scope of the config.

    Returns:
        tuple[int, int], optional: None if the size depends on the video, or
        is not square, or a step is not known.
    """
    size = None
    crops = {**_CROPS, **_HOST_CROPS.get(scope, {})}
    for step in pipeline if isinstance(pipeline, (list, tuple)) else ():
        kind = step.get('type')
        if kind in crops:
            size = _square(step.get(crops[kind]))
        elif kind == 'Resize':
            # mmaction2's Resize keeps the ratio by default, mmcv's does not.
            keeps = step.get('keep_ratio', scope == 'mmaction')
            size = None if keeps else _square(step.get('scale'))
        elif kind not in _KEEP:
            # A step that is not known may change the size: no statement then.
            size = None
    return size


def size_faults(cfg: Any, scope: str) -> List[str]:
    """List loaders whose frames do not have the size of the backbone.

    Args:
        cfg (Config | dict): The config.
        scope (str): Default scope.

    Returns:
        list[str]: A sentence per loader, with the key in front.
    """
    wanted = set(_backbone_sizes(cfg))
    # A teacher of another size, for instance: a loader feeds both.
    if len(wanted) != 1:
        return []
    side, = wanted
    faults = []
    for part in ('train', 'val', 'test'):
        key = f'{part}_dataloader'
        size = output_size(_pipeline(cfg.get(key)), scope)
        if size is not None and size != side:
            faults.append(
                f'{key}: the pipeline gives frames of {size[0]} x {size[1]} '
                f'pixels, but model.backbone.img_size is {side[0]} x '
                f'{side[1]}; set both to the same (checkpoints adapt)')
    return faults


def _backbone_sizes(cfg: Any) -> Iterator[Size]:
    """Yield the frame sizes of the VideoMambas of a model."""
    for part in parts_of(dict(model=cfg.get('model'))):
        if part.cfg['type'] == BACKBONE:
            size = part.cfg.get('img_size', 224)
            yield (size, size) if isinstance(size, int) else tuple(size)


def _pipeline(loader: Any) -> Any:
    """Return the pipeline of a loader, below wrapped data sets as well."""
    seen: Set[int] = set()
    node = (loader or {}).get('dataset')
    while isinstance(node, dict) and id(node) not in seen:
        seen.add(id(node))
        if 'pipeline' in node:
            return node['pipeline']
        node = node.get('dataset')
    return None
