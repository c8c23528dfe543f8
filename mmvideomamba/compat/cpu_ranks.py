"""Start several processes on a machine without an accelerator."""
import functools
import importlib
import types
from typing import Any

from .workaround import Workaround


def cpu_ranks_cfg() -> dict:
    """Return the config keys of a run on several CPU processes.

    Returns:
        dict: ``env_cfg`` with the gloo backend and a ``model_wrapper_cfg``
        without device ids, to be merged into a config.
    """
    return dict(
        env_cfg=dict(dist_cfg=dict(backend='gloo')),
        model_wrapper_cfg=dict(
            type='MMDistributedDataParallel', device_ids=None))


def _cause() -> str:
    device = importlib.import_module('mmengine.device')
    if device.get_device() == 'cpu':
        return 'no accelerator, and mmengine asks CUDA for a device per rank'
    return ''


def _cure(module: types.ModuleType) -> None:
    """Start gloo ranks without touching CUDA; other backends as before."""
    original = module._init_dist_pytorch

    @functools.wraps(original)
    def init(backend: str, init_backend: str = 'torch', **kwargs: Any) -> None:
        if backend == 'gloo' and init_backend == 'torch':
            # The host's function first sets the CUDA device of the rank.
            torch = importlib.import_module('torch')
            torch.distributed.init_process_group('gloo', **kwargs)
        else:
            original(backend, init_backend=init_backend, **kwargs)

    module.__dict__['_init_dist_pytorch'] = init


WORKAROUND = Workaround(
    name='cpu_ranks',
    cause=_cause,
    link='https://github.com/open-mmlab/mmengine/blob/v0.10.7/mmengine/dist/'
    'utils.py',
    until='a release of mmengine that sets CUDA devices only with CUDA',
    modules=('mmengine.dist.utils', ),
    cure=_cure)
