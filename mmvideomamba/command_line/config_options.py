"""Checked changes of a config by ``--cfg-options``."""
import logging
from typing import Any, NoReturn

from mmengine.config import Config
from mmengine.logging import print_log

from mmvideomamba.config_check import option_fault, read_by_runner
from mmvideomamba.config_edit import option_keys


def _check_value(node: Any, value: Any, in_list: bool) -> str:
    """Say why a value cannot take the place of another, or ''."""
    inner = node if isinstance(node, list) else []
    if isinstance(node, dict) or any(isinstance(x, dict) for x in inner):
        if in_list or not isinstance(value, (list, bool, type(None))):
            keys = list(node) if isinstance(node, dict) else range(len(node))
            return (f'is a {type(node).__name__} and cannot become '
                    f'{value!r}; name one of its keys: '
                    f'{", ".join(map(str, keys))}')
    return 'is an item of a list; give the whole list' if in_list else ''


def _check_option(cfg: Config, key: str, value: Any) -> None:
    """Raise ValueError if a key does not fit the shape of the config."""
    parts = key.split('.')

    def fail(depth: int, problem: str) -> NoReturn:
        raise ValueError(f'--cfg-options {key}={value}: '
                         f'{".".join(parts[:depth])} {problem}')

    if key in ('train_pipeline', 'val_pipeline', 'test_pipeline'):
        loader = key.replace('pipeline', 'dataloader')
        fail(
            1, 'is a name inside the config file; the dataset has its own '
            f'copy, {loader}.dataset.pipeline')
    problem = option_fault(cfg, parts[0])
    if problem:
        fail(1, problem)
    node: Any = cfg.to_dict()
    for depth, part in enumerate(parts):
        in_list = isinstance(node, list)
        if in_list:
            if not part.isdigit() or int(part) >= len(node):
                fail(
                    depth, f'is a list of {len(node)}; {part!r} is not one '
                    f'of its indices (0 to {len(node) - 1})')
            node = node[int(part)]
        elif not isinstance(node, dict):
            fail(depth, f'is {node!r}, which has no key {part!r}')
        elif part not in node:
            return
        else:
            node = node[part]
    problem = _check_value(node, value, in_list)
    if problem:
        fail(len(parts), problem)
    if len(parts) == 1 and not read_by_runner(cfg, key):
        print_log(
            f'--cfg-options {key}={value}: {key} is a variable of the config '
            'file, read before; values computed from it stay as they are',
            'current', logging.WARNING)


def merge_options(cfg: Config, options: dict) -> None:
    """Merge ``--cfg-options`` into a config, in order.

    Args:
        cfg (Config): The config, changed in place.
        options (dict): Dotted key to value. Items of lists are named by type
            or number, see :func:`mmvideomamba.config_edit.option_keys`.

    Raises:
        ValueError: If a key does not fit: a first part unknown to config and
            runner, an unknown type of an item, an index beyond a
            list, a key below a plain value, a plain value
            instead of a dict.
    """
    for key, value in options.items():
        try:
            places = option_keys(cfg, key)
        except ValueError as error:
            raise ValueError(f'--cfg-options {key}={value}: {error}') from None
        for place in places:
            _check_option(cfg, place, value)
            # One by one: an option may name a key made by an earlier option.
            cfg.merge_from_dict({place: value})
