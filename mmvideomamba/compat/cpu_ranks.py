"""Start several processes on a machine without an accelerator."""
import functools
from typing import Any

import mmengine.dist.utils
import torch
from mmengine.device import get_device

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
    if get_device() == 'cpu':
        return 'no accelerator, and mmengine asks CUDA for a device per rank'
    return ''


def _cure() -> None:
    """Start gloo ranks without touching CUDA; other backends as before."""
    original = mmengine.dist.utils._init_dist_pytorch

    @functools.wraps(original)
    def init(backend: str, init_backend: str = 'torch', **kwargs: Any) -> None:
        if backend == 'gloo' and init_backend == 'torch':
            torch.distributed.init_process_group('gloo', **kwargs)
        else:
            original(backend, init_backend=init_backend, **kwargs)

    mmengine.dist.utils._init_dist_pytorch = init


WORKAROUND = Workaround(
    name='cpu_ranks',
    cause=_cause,
    link='https://github.com/open-mmlab/mmengine/blob/v0.10.7/mmengine/dist/'
    'utils.py',
    until='a release of mmengine that sets CUDA devices only with CUDA',
    cure=_cure)
