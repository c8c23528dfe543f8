"""What train.py and test.py share: options, config and runner."""
import argparse
import difflib
import importlib
import os
from pathlib import Path
from typing import Any, List, Optional

from mmengine.config import Config, ConfigDict, DictAction
from mmengine.device import get_device
from mmengine.runner import Runner
from torch import distributed

from mmvideomamba import compat

HOSTS = ('mmaction', 'mmpretrain')
CONFIGS = Path(__file__).resolve().parents[1] / 'configs'


class OptionAction(DictAction):
    """Parse KEY=VALUE pairs; text that is no pair ends with one line."""

    def __call__(self,
                 parser: argparse.ArgumentParser,
                 namespace: argparse.Namespace,
                 values: List[str],
                 option_string: Optional[str] = None) -> None:
        """See :class:`argparse.Action`."""
        try:
            super().__call__(parser, namespace, values, option_string)
        except (AssertionError, ValueError) as error:
            parser.error(f'{option_string} {" ".join(values)}: expected '
                         f'KEY=VALUE pairs ({error})')


def add_common_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that training and testing have in common."""
    parser.add_argument(
        '--work-dir',
        help='folder of logs, checkpoints and results; defaults to that of '
        'the config, else ./work_dirs/NAME_OF_THE_CONFIG')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=OptionAction,
        default={},
        metavar='KEY=VALUE',
        help='change values of the config, for example optim_wrapper.'
        'optimizer.lr=1e-4 test_dataloader.dataset.pipeline.1.num_clips=4; '
        'lists as KEY=[a,b], quoted and without spaces')
    parser.add_argument(
        '--launcher',
        choices=('none', 'pytorch', 'slurm', 'mpi'),
        default='none',
        help='how the processes of this run were started')
    # torch.distributed.launch passes either spelling.
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)


def find_config(name: str) -> str:
    """Find a config by path, or by its plain name among ours.

    Args:
        name (str): Path of a config file, or the name of a file anywhere
            under ``configs``, with or without '.py'.

    Returns:
        str: Path of the file.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If several files have that name.
    """
    if Path(name).is_file():
        return name
    ours = sorted(CONFIGS.rglob('*.py'))
    stem = Path(name).name[:-3] if name.endswith('.py') else Path(name).name
    found = [path for path in ours if path.stem == stem]
    if len(found) == 1:
        return str(found[0])
    if found:
        raise ValueError(f'{name} is the name of several configs, give a '
                         f'path: {", ".join(map(str, found))}')
    near = difflib.get_close_matches(stem, [path.stem for path in ours])
    raise FileNotFoundError(
        f'config {name} is neither a file nor a name under {CONFIGS}' +
        (f'; did you mean {" or ".join(near)}?' if near else ''))


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

    def fail(depth: int, problem: str) -> None:
        raise ValueError(f'--cfg-options {key}={value}: '
                         f'{".".join(parts[:depth])} {problem}')

    if parts[0] in ('train_pipeline', 'val_pipeline', 'test_pipeline'):
        loader = parts[0].replace('pipeline', 'dataloader')
        fail(
            1, 'is a name inside the config file; the dataset has its own '
            f'copy, {loader}.dataset.pipeline')
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


def merge_options(cfg: Config, options: dict) -> None:
    """Merge ``--cfg-options`` into a config, one by one.

    Args:
        cfg (Config): The config, changed in place.
        options (dict): Dotted key to value.

    Raises:
        ValueError: If a key does not fit: an index that a list does not
            have, a key below a plain value, a plain value instead of a dict.
    """
    for key, value in options.items():
        _check_option(cfg, key, value)
        cfg.merge_from_dict({key: value})


def default_scope(cfg: Config) -> str:
    """Return the host that runs a config, 'mmaction' or 'mmpretrain'."""
    scope = cfg.get('default_scope')
    if scope not in HOSTS:
        raise ValueError(f'default_scope of {cfg.filename} is {scope!r}; it '
                         f'names the host that runs the config: {HOSTS}')
    return scope


def fill_dataloader(cfg: Config, field: str) -> None:
    """Complete a dataloader as mmpretrain's own scripts do.

    Its configs leave out how samples become a batch; mmaction2's do not.
    """
    if default_scope(cfg) != 'mmpretrain' or cfg.get(field) is None:
        return
    defaults = ConfigDict(
        pin_memory=True,
        persistent_workers=cfg[field].get('num_workers', 0) > 0,
        collate_fn=dict(type='default_collate'))
    defaults.update(cfg[field])
    cfg[field] = defaults


def load_config(args: argparse.Namespace) -> Config:
    """Read the config and set what does not depend on the task.

    Args:
        args (Namespace): Parsed options, see :func:`add_common_options`.

    Returns:
        Config: With launcher, working folder and, for several processes on
        a machine without an accelerator, the keys that these need.
    """
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    cfg = Config.fromfile(find_config(args.config))
    default_scope(cfg)
    cfg.launcher = args.launcher
    if args.work_dir is not None:
        cfg.work_dir = args.work_dir
    elif cfg.get('work_dir') is None:
        cfg.work_dir = str(Path('work_dirs', Path(cfg.filename).stem))
    if args.launcher == 'pytorch' and get_device() == 'cpu':
        cfg.merge_from_dict(compat.cpu_ranks_cfg())
        # Beside a wrapper's own config mmengine does not look at it.
        cfg.model_wrapper_cfg.find_unused_parameters = cfg.get(
            'find_unused_parameters', False)
    return cfg


def build_runner(cfg: Config) -> Runner:
    """Build the runner that a config names, by default mmengine's."""
    if 'runner_type' not in cfg:
        return Runner.from_cfg(cfg)
    registry = importlib.import_module(f'{default_scope(cfg)}.registry')
    return registry.RUNNERS.build(cfg)


def part() -> None:
    """Wait for the other processes of a distributed run and leave them.

    A process that merely ends does so while threads of its group may still
    run, which now and then aborts it, and then the launcher ends the rest.
    """
    if distributed.is_available() and distributed.is_initialized():
        distributed.barrier()
        distributed.destroy_process_group()
