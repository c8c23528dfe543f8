"""Start and end of a run."""
import importlib

from mmengine.config import Config
from mmengine.runner import Runner
from torch import distributed

from .config import default_scope


def build_runner(cfg: Config) -> Runner:
    """Build the runner of a config, by default mmengine's.

    Args:
        cfg (Config): The config; ``runner_type`` names another runner.

    Returns:
        Runner: The runner.
    """
    if 'runner_type' not in cfg:
        return Runner.from_cfg(cfg)
    registry = importlib.import_module(f'{default_scope(cfg)}.registry')
    return registry.RUNNERS.build(cfg)


def leave_process_group() -> None:
    """Wait for the other processes of a distributed run, then disconnect.

    A process without this step ends while threads of the group may still run,
    aborts now and then, and the launcher ends the other processes. A run of a
    single process has no group and returns at once.
    """
    if distributed.is_available() and distributed.is_initialized():
        distributed.barrier()
        distributed.destroy_process_group()
