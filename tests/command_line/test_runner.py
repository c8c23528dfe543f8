"""The runner of a config is built."""
from mmengine.config import Config
from mmengine.registry import DefaultScope

from mmvideomamba.command_line import build_runner


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
