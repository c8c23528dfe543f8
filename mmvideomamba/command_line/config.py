"""Configs by path or by name, completed for a run."""
import argparse
import difflib
import os
from pathlib import Path

from mmengine.config import Config, ConfigDict
from mmengine.device import get_device

from mmvideomamba.compat import cpu_ranks_cfg
from .auto_recipe import AUTO, auto_recipe
from .host_tools import HOSTS
from .kept_config import kept_config
from .slurm import slurm_ranks

CONFIGS = Path(__file__).parents[1].joinpath('.mim', 'configs').resolve()


def find_config(name: str) -> str:
    """Find a config by path, or by plain name among our configs.

    Args:
        name (str): Path of a config file; working folder of a training, for
            the config kept there; or the name of a file anywhere under
            ``configs``, with or without '.py'.

    Returns:
        str: Path of the file.

    Raises:
        FileNotFoundError: If neither a file nor a config of ours has the
            name.
        ValueError: If several of our configs have the name.
    """
    if Path(name).is_file():
        return name
    if Path(name).is_dir():
        return kept_config(Path(name))
    ours = sorted(CONFIGS.rglob('*.py'))
    stem = Path(name).name[:-3] if name.endswith('.py') else Path(name).name
    found = [path for path in ours if path.stem == stem]
    if len(found) == 1:
        return str(found[0])
    if found:
        raise ValueError(f'{name} is the name of several configs, give a '
                         f'path: {", ".join(map(str, found))}')
    if len(Path(name).parts) > 1 and not name.endswith('.py'):
        raise FileNotFoundError(f'there is no config or working folder {name} '
                                f'(below {Path.cwd()})')
    near = difflib.get_close_matches(stem, [path.stem for path in ours])
    raise FileNotFoundError(
        f'config {name} is neither a file nor a name under {CONFIGS}' +
        (f'; did you mean {" or ".join(near)}?' if near else ''))


def is_config(name: str) -> bool:
    """Tell whether a file or one of our configs has a name.

    Args:
        name (str): As in ``find_config``.

    Returns:
        bool: Whether ``find_config`` finds at least one config.
    """
    return Path(name).is_file() or any(CONFIGS.rglob(f'{name}.py'))


def default_scope(cfg: Config) -> str:
    """Return the host of a config.

    Args:
        cfg (Config): The config.

    Returns:
        str: 'mmaction' or 'mmpretrain'.

    Raises:
        ValueError: If the config names no host.
    """
    scope = cfg.get('default_scope')
    if scope not in HOSTS:
        raise ValueError(f'default_scope of {cfg.filename} is {scope!r}; it '
                         f'names the host that runs the config: {HOSTS}')
    return scope


def fill_dataloader(cfg: Config, field: str) -> None:
    """Complete a dataloader as mmpretrain's own scripts do.

    mmpretrain's configs leave out the collation of samples to a batch.

    Args:
        cfg (Config): The config, changed in place.
        field (str): Name of the dataloader; may be missing in the config.
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
    """Read a config and set the keys common to training and test.

    The name 'auto', unless a config has the name, stands for the recipe for
    own videos chosen by the machine, see ``auto_recipe``.

    Args:
        args (argparse.Namespace): Parsed arguments, see
            ``add_config_options`` and ``add_run_options``.

    Returns:
        Config: With launcher, working folder and, for several processes on
        a machine without an accelerator, the keys of ``cpu_ranks_cfg``.

    Raises:
        FileNotFoundError: If the config does not exist.
        ValueError: If the name is ambiguous, the config names no host, or
            ``--launcher slurm`` is given to a process not of SLURM; for the
            name 'auto', if there are several processes.
    """
    # torch.distributed.launch passes the rank as an argument; mmengine reads
    # the variable alone.
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    if args.config == AUTO and not is_config(AUTO):
        name, options = auto_recipe(args)[:2]
    else:
        name, options = args.config, {}
    cfg = Config.fromfile(find_config(name))
    cfg.merge_from_dict(options)
    default_scope(cfg)
    cfg.launcher = args.launcher
    if args.work_dir is not None:
        cfg.work_dir = args.work_dir
    elif Path(name).is_dir():
        cfg.work_dir = name  # the folder may have been moved
    elif cfg.get('work_dir') is None:
        cfg.work_dir = str(Path('work_dirs', Path(cfg.filename).stem))
    on_cpu = get_device() == 'cpu'
    if args.launcher == 'slurm' and on_cpu:
        # mmengine's own start under SLURM needs CUDA.
        os.environ.update(slurm_ranks())
        cfg.launcher = 'pytorch'
    if cfg.launcher == 'pytorch' and on_cpu:
        cfg.merge_from_dict(cpu_ranks_cfg())
        # mmengine reads this key only without a config of the wrapper.
        cfg.model_wrapper_cfg.find_unused_parameters = cfg.get(
            'find_unused_parameters', False)
    return cfg
