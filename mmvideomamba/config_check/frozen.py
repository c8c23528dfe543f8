"""Frozen backbones: cost of the gradients, and source of the weights."""
from typing import Any, Iterator, List, Tuple

from .frame_size import BACKBONE

_LORA = ('LoRAModel', 'mmpretrain.LoRAModel')
# Beginnings of keys for weights of the blocks.
_BLOCKS = ('backbone', 'layers', 'module')


def frozen_faults(cfg: Any) -> List[str]:
    """Refuse LoRA on random weights.

    Checkpoints of ``LoRAModel`` hold adapters alone, so random weights below
    would be lost, and a test would run with others.

    Args:
        cfg (Config | dict): The config of a training or a test.

    Returns:
        list[str]: A sentence, or none.
    """
    return [
        f'{place}: checkpoints of LoRAModel do not hold the weights of the '
        f'backbone, and no file is named for them; {_remedy(place)}'
        for place, backbone, adapted in _backbone(cfg)
        if adapted and not _has_file(backbone)
    ]


def frozen_warnings(cfg: Any) -> List[str]:
    """Name idle gradients, and frozen random weights, of a backbone.

    Args:
        cfg (Config | dict): The config of a training.

    Returns:
        list[str]: A sentence, or none.
    """
    found: List[str] = []
    for place, backbone, adapted in _backbone(cfg):
        stages = backbone.get('frozen_stages', -1)
        frozen = isinstance(stages, int) and stages >= 0
        # A checkpoint of the whole model brings the weights.
        known = cfg.get('load_from') or cfg.get('resume') or adapted
        if not frozen and not adapted:
            found += _idle_rates(cfg, place)
        elif frozen and not known and not _has_file(backbone):
            found.append(f'{place}: frozen_stages={stages} leaves weights '
                         'random, as no file is named; ' + _remedy(place))
    return found


def _has_file(backbone: dict) -> bool:
    """Tell whether ``init_cfg`` names a file."""
    init = backbone.get('init_cfg') or []
    parts = [init] if isinstance(init, dict) else init
    return any(str(part.get('type')).startswith('Pretrained')
               for part in parts)  # yapf: disable


def _remedy(place: str) -> str:
    return (f"set {place}.init_cfg=dict(type='Pretrained', checkpoint=FILE)")


def _backbone(cfg: Any) -> Iterator[Tuple[str, dict, bool]]:
    """Yield place and dict of a VideoMamba, and True below LoRA."""
    node: Any = (cfg.get('model') or {}).get('backbone')
    place = 'model.backbone'
    adapted = isinstance(node, dict) and node.get('type') in _LORA
    if adapted:
        place, node = f'{place}.module', node.get('module')
    if isinstance(node, dict) and node.get('type') == BACKBONE:
        yield place, node, adapted


def _idle_rates(cfg: Any, place: str) -> List[str]:
    """Name a learning rate of 0 for the blocks."""
    wrapper = cfg.get('optim_wrapper') or {}
    keys = (wrapper.get('paramwise_cfg') or {}).get('custom_keys') or {}
    idle = [
        key for key, options in keys.items()
        if str(key).startswith(_BLOCKS) and options.get('lr_mult') == 0
    ]
    if not idle:
        return []
    return [
        f'optim_wrapper.paramwise_cfg.custom_keys.{idle[0]}.lr_mult=0: the '
        'weights do not learn, but each step computes and keeps all their '
        f'gradients; {place}.frozen_stages=K freezes the embeddings and the '
        'first K blocks without (as many as there are: also the final norm)'
    ]
