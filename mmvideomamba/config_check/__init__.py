"""Checks of a config before a run: one line instead of a late traceback.

================== =========================================================
module             compares
================== =========================================================
``check``          all of the below, for ``tools/train.py`` and the hook
``top_level``      keys of ``--cfg-options`` and keys of config and runner
``parts``          (finds the dicts to build)
``signature``      (finds the keywords of a class)
``types``          keys of a dict and keywords of the ``type``
``metrics``        ``save_best`` and the figures of the evaluator
``frame_size``     frames of a pipeline and ``img_size`` of the backbone
``frozen``         frozen backbones, learning rates of 0, files of weights
``places``         paths and the file system
``extra_packages`` parts of a config and the installed packages
``training``       batches of an epoch, weight decay, mixed precision
``workers``        settings of a loader and its number of workers
================== =========================================================
"""
from .check import ConfigError, check_config, value_faults, value_warnings
from .top_level import option_fault, read_by_runner
from .training import empty_epoch_fault
from .types import nearest

__all__ = [
    'ConfigError', 'check_config', 'empty_epoch_fault', 'nearest',
    'option_fault', 'read_by_runner', 'value_faults', 'value_warnings'
]
