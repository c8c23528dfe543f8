"""Start of a run."""
import importlib

from mmengine.config import Config
from mmengine.runner import Runner

from .config import default_scope
from .topk import limit_topk


def build_runner(cfg: Config) -> Runner:
    """Build the runner of a config, by default mmengine's.

    Args:
        cfg (Config): The config; ``runner_type`` names another runner.
            Changed in place, see ``limit_topk``.

    Returns:
        Runner: The runner.
    """
    limit_topk(cfg)
    if 'runner_type' not in cfg:
        return Runner.from_cfg(cfg)
    registry = importlib.import_module(f'{default_scope(cfg)}.registry')
    return registry.RUNNERS.build(cfg)
