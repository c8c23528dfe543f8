"""Frozen backbones: cost of the gradients, and source of the weights."""
from typing import Any, Iterator, List, Tuple

from .frame_size import BACKBONE

_LORA = ('LoRAModel', 'mmpretrain.LoRAModel')
# Beginnings of keys for weights of the blocks.
_BLOCKS = ('backbone', 'layers', 'module')


def frozen_warnings(cfg: Any) -> List[str]:
    """Name idle gradients of a backbone, and random weights of a frozen one.

    Args:
        cfg (Config | dict): The config of a training.

    Returns:
        list[str]: A sentence, or none.
    """
    found = list(_backbone(cfg))
    if not found:
        return []
    place, backbone, adapted = found[0]
    stages = backbone.get('frozen_stages', -1)
    frozen = adapted or isinstance(stages, int) and stages >= 0
    if not frozen:
        return _idle_rates(cfg, place)
    init = backbone.get('init_cfg') or []
    files = [init] if isinstance(init, dict) else init
    known = cfg.get('load_from') or cfg.get('resume') or any(
        str(one.get('type')).startswith('Pretrained') for one in files)
    if known:
        return []
    what = 'LoRA leaves' if adapted else f'frozen_stages={stages} leaves'
    return [
        f'{place}: {what} the weights as they are, and they are random, for '
        f"no file is named; set {place}.init_cfg=dict(type='Pretrained', "
        'checkpoint=FILE)'
    ]


def _backbone(cfg: Any) -> Iterator[Tuple[str, dict, bool]]:
    """Yield place and dict of a VideoMamba, and True for one under LoRA."""
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
