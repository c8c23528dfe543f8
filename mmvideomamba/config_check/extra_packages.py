"""Packages of extras, needed by a config."""
from importlib.util import find_spec
from typing import Any, Iterator, List, NamedTuple

from mmengine.registry import VISBACKENDS

from mmvideomamba.extras import install_command
from .parts import parts_of

_OURS = 'mmvideomamba.'


class _Need(NamedTuple):
    place: str
    package: str
    extra: str
    instead: str = ''


def extra_faults(cfg: Any) -> List[str]:
    """List parts of a config whose package is not installed.

    Args:
        cfg (Config | dict): The config.

    Returns:
        list[str]: A sentence per part, with the place in front.
    """
    return [
        f'{need.place} needs {need.package}, not installed: '
        f'{install_command(need.extra)}{need.instead}' for need in _needs(cfg)
        if find_spec(need.package) is None
    ]


def _needs(cfg: Any) -> Iterator[_Need]:
    """Yield the parts of a config with a package of an extra."""
    visualizer = cfg.get('visualizer') or {}
    # A top-level vis_backends alone is a variable: a visualizer builds the
    # list in the config of the visualizer.
    used = dict(vis_backends=visualizer.get('vis_backends'))
    for part in parts_of(used):
        if part.registry is VISBACKENDS and part.cfg['type'].endswith(
                'TensorboardVisBackend'):
            yield _Need(f'visualizer.{part.place}', 'tensorboard',
                        'quickstart', '; or leave this backend out')
    for part in parts_of(cfg):
        ours = str(part.cfg['type']).startswith(_OURS)
        if ours and isinstance(part.cfg.get('tokenizer'), dict):
            yield _Need(f'{part.place}.tokenizer', 'tokenizers', 'multimodal')
        if part.cfg.get('reader') in ('torchcodec', 'decord'):
            name = part.cfg['reader']
            yield _Need(f'{part.place}.reader', name, name,
                        "; or take reader='auto'")
