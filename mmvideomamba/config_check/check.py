"""All checks of a config, for the tools and for the hook."""
from typing import Any, List

from mmvideomamba.user_error import UserError
from .extra_packages import extra_faults
from .frame_size import size_faults
from .frozen import frozen_faults, frozen_warnings
from .metrics import best_faults
from .places import (data_faults, download_faults, weight_faults,
                     work_dir_faults)
from .top_level import key_faults
from .training import decay_warnings, early_epoch_faults, precision_faults
from .types import type_faults
from .workers import worker_faults


class ConfigError(UserError):
    """Faults of a config, for the user to mend.

    Args:
        faults (list[str]): A sentence per fault, not empty.
    """

    def __init__(self, faults: List[str]) -> None:
        text, = faults if len(faults) == 1 else [
            '\n  '.join([f'the config has {len(faults)} faults:', *faults])
        ]
        super().__init__(text)


def value_faults(cfg: Any, training: bool) -> List[str]:
    """List contradictions between the parts of a config.

    Args:
        cfg (Config | dict): The config.
        training (bool): For a training, else for a test.

    Returns:
        list[str]: A sentence per fault.
    """
    scope = cfg.get('default_scope') or 'mmengine'
    faults = key_faults(cfg) + frozen_faults(cfg)
    faults += _in_use(size_faults(cfg, scope), training)
    if training:
        faults += best_faults(cfg, scope)
    return faults


def value_warnings(cfg: Any, training: bool) -> List[str]:
    """List settings that a user may not intend.

    Args:
        cfg (Config | dict): The config.
        training (bool): For a training, else for a test.

    Returns:
        list[str]: A sentence each.
    """
    scope = cfg.get('default_scope') or 'mmengine'
    found = _not_in_use(
        type_faults(cfg, scope) + size_faults(cfg, scope), training)
    if training:
        found += decay_warnings(cfg, scope) + frozen_warnings(cfg)
    return found


def check_config(cfg: Any, training: bool) -> None:
    """Refuse a config before the runner is built.

    Args:
        cfg (Config | dict): The config, with the working folder.
        training (bool): For a training, else for a test.

    Raises:
        ConfigError: If the config has faults; the message lists them all.
        OSError: If the training set, built to be counted, finds no files.
        ValueError: If the training set refuses a file.
    """
    scope = cfg.get('default_scope') or 'mmengine'
    loaders = ['test_dataloader']
    faults = _in_use(type_faults(cfg, scope), training)
    faults += _in_use(extra_faults(cfg), training)
    faults += value_faults(cfg, training) + weight_faults(cfg)
    if training:
        faults += precision_faults(cfg)
        loaders = ['train_dataloader']
        if cfg.get('val_cfg') is not None:
            loaders.append('val_dataloader')
    faults += data_faults(cfg, scope, *loaders)
    faults += worker_faults(cfg, *loaders)
    faults += work_dir_faults(cfg.get('work_dir') or '.')
    # A download takes minutes, and reading the data takes time, too: only for
    # a config that is right so far.
    if not faults:
        faults += download_faults(cfg)
    if training and not faults:
        faults += early_epoch_faults(cfg, scope)
    if faults:
        raise ConfigError(faults)


def _unused(training: bool) -> tuple:
    """Return beginnings of places out of use in a run."""
    if training:
        return ('test_dataloader', 'test_evaluator', 'test_cfg', 'tta_model')
    return ('train_', 'val_', 'optim_wrapper', 'param_scheduler',
            'auto_scale_lr', 'tta_model')


def _in_use(faults: List[str], training: bool) -> List[str]:
    return [f for f in faults if not f.startswith(_unused(training))]


def _not_in_use(faults: List[str], training: bool) -> List[str]:
    return [f for f in faults if f.startswith(_unused(training))]
