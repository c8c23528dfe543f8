"""Keep the optimizer out of the graph of ``compile = True``."""
import functools
import importlib
import types
from typing import Any

from .workaround import Workaround, installed_version


@functools.lru_cache(maxsize=None)
def _keep_optimizer_eager() -> None:
    """Exclude backward and optimizer from ``torch.compile``, once."""
    wrapper = importlib.import_module('mmengine.optim').OptimWrapper
    torch = importlib.import_module('torch')
    wrapper.update_params = torch.compiler.disable(wrapper.update_params)


def _heal_runner(module: types.ModuleType) -> None:
    original = module.Runner._maybe_compile

    @functools.wraps(original)
    def maybe_compile(self: Any, target: str) -> None:
        if self.cfg.get('compile'):
            _keep_optimizer_eager()
        original(self, target)

    module.Runner._maybe_compile = maybe_compile


def _cause() -> str:
    version = installed_version('mmengine')
    return f'mmengine {version} compiles the optimizer too'


def _cure(module: types.ModuleType) -> None:
    """Compile the model and its loss, not the loop over parameter groups.

    With layer-wise learning rates the compiled loop costs minutes, in some
    releases of torch an error. torch's compiler is loaded only by a run with
    ``compile`` in the config.
    """
    _heal_runner(module)


WORKAROUND = Workaround(
    name='compile',
    cause=_cause,
    link='https://github.com/open-mmlab/mmengine/blob/v0.10.7/mmengine/runner/'
    'runner.py',
    until='a release of mmengine that compiles the forward alone',
    modules=('mmengine.runner.runner', ),
    cure=_cure)
