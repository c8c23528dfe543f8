"""Top-level keys unknown to config and runner."""
import inspect
from typing import Any, List

from mmengine.runner import Runner

from .types import nearest

# Read by mmengine, the hosts' scripts and ours, in addition to the arguments
# of the runner.
_READ = ('activation_checkpointing', 'compile', 'custom_imports',
         'efficient_conv_bn_eval', 'find_unused_parameters',
         'model_wrapper_cfg', 'runner_type', 'sync_bn', 'tta_model',
         'tta_pipeline', 'vis_backends')
KNOWN = frozenset(inspect.signature(Runner).parameters) - {'cfg'} | set(_READ)


def read_by_runner(cfg: Any, key: str) -> bool:
    """Tell whether a top-level key is read after the config file.

    Args:
        cfg (Config | dict): The config.
        key (str): The key.

    Returns:
        bool: False for a variable of the config file alone.
    """
    return key in KNOWN or 'runner_type' in cfg


def option_fault(cfg: Any, key: str) -> str:
    """Say why the first part of an option's key has no effect.

    Args:
        cfg (Config | dict): The config before the option is merged.
        key (str): The first part of a dotted key.

    Returns:
        str: The rest of a sentence about the key, '' for a known key.
    """
    if key in cfg or read_by_runner(cfg, key):
        return ''
    return ('is not a key of the config, and the runner reads no such key' +
            nearest(key, [*cfg, *KNOWN]))


def key_faults(cfg: Any) -> List[str]:
    """List mistyped keys among the top-level keys of a config.

    Variables of any name are allowed in a config. A dict counts as mistyped
    if the name is almost the name of a dict for the runner, and if all keys
    are keys of the latter: a misdirected option of a command line.

    Args:
        cfg (Config | dict): The config.

    Returns:
        list[str]: A sentence per key.
    """
    faults = []
    for key, value in cfg.items():
        if key in KNOWN or not isinstance(value, dict) or not value:
            continue
        near = nearest(key, KNOWN, 0.9)
        meant = near.rpartition(' ')[2].rstrip('?')
        aim = cfg.get(meant)
        if near and isinstance(aim, dict) and set(value) < set(aim):
            faults.append(f'{key}: the runner reads no such key{near}')
    return faults
