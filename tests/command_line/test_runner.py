"""The runner of a config is built; processes of a run end together."""
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope

from mmvideomamba.command_line import build_runner, leave_process_group


def test_custom_runner_comes_from_the_host() -> None:
    """``runner_type`` is looked up in the registry of the scope."""
    from mmaction.registry import RUNNERS

    @RUNNERS.register_module(name='LaunchTestRunner', force=True)
    class Custom:

        @classmethod
        def from_cfg(cls, cfg: Config) -> 'Custom':
            return cls()

    cfg = Config(
        dict(default_scope='mmaction', runner_type='LaunchTestRunner'))
    with DefaultScope.overwrite_default_scope('mmaction'):
        assert isinstance(build_runner(cfg), Custom)


def test_processes_part_at_the_end(tmp_path: Path) -> None:
    torch.distributed.init_process_group(
        'gloo', f'file://{tmp_path}/meet', rank=0, world_size=1)
    leave_process_group()
    assert not torch.distributed.is_initialized()
    leave_process_group()  # a run of one process has no group
