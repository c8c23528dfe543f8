"""State of the host, fixed by the capture of a CUDA graph."""
import random
from collections import OrderedDict
from typing import Any, Dict, List, Tuple

import numpy as np
import torch
from mmengine.logging import MessageHub
from mmengine.optim import OptimWrapper

from mmvideomamba.ops.dispatch import default_backend
from mmvideomamba.ops.runtime.settings import SWITCHES, setting

# Entries of the message hub with another value in each step or epoch.
_MOVING = ('iter', 'epoch')


def settings_of(wrapper: OptimWrapper) -> Tuple:
    """Read the switches for the kernels of a step.

    Args:
        wrapper (OptimWrapper): Of the training.

    Returns:
        tuple: Backend of the ops, precision, autocast and determinism.
    """
    backends = torch.backends
    # Kernels are chosen at the capture. A graph is found by all these
    # switches, so that a switch thrown later asks for another graph.
    return (
        default_backend(),
        *map(setting, SWITCHES),
        getattr(wrapper, 'cast_dtype', None),
        torch.is_grad_enabled(),
        torch.is_anomaly_enabled(),
        torch.get_default_dtype(),
        torch.is_autocast_enabled('cuda'),
        torch.get_autocast_dtype('cuda'),
        torch.is_autocast_cache_enabled(),
        torch.are_deterministic_algorithms_enabled(),
        *_float32_precision(),
        backends.cuda.matmul.allow_fp16_reduced_precision_reduction,
        backends.cuda.matmul.allow_bf16_reduced_precision_reduction,
        backends.cudnn.enabled,
        backends.cudnn.benchmark,
        backends.cudnn.deterministic,
        backends.cuda.flash_sdp_enabled(),
        backends.cuda.mem_efficient_sdp_enabled(),
        backends.cuda.math_sdp_enabled(),
    )


def _float32_precision() -> Tuple:
    """Return the precision of products of float32."""
    backends: Any = torch.backends
    places = (backends.cuda.matmul, backends.cudnn.conv) if hasattr(
        backends.cuda.matmul, 'fp32_precision') else ()
    # Newer versions of torch raise if both sets of switches were used.
    try:
        old: Tuple = (torch.get_float32_matmul_precision(),
                      backends.cuda.matmul.allow_tf32,
                      backends.cudnn.allow_tf32)
    except RuntimeError:
        old = ()
    return (*old, *(x.fp32_precision for x in places))


class _NotedInfo(OrderedDict):
    """Entries of a message hub that note each reading.

    Args:
        entries (dict): Of the hub.
    """

    def __init__(self, entries: Dict[str, Any]) -> None:
        self.read: List[str] = []
        super().__init__(entries)

    def __getitem__(self, key: str) -> Any:
        self.read.append(key)
        return super().__getitem__(key)


class HostDraws:
    """Find a block's use of random numbers or of the progress on the host.

    A graph would repeat the values of the capture. Use as a context.

    Args:
        device (torch.device): Of the model. Numbers of torch's generator of
            the CPU are the host's for others.

    Attributes:
        found (str): Kind of use, after the block; '' for none.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.found = ''

    def __enter__(self) -> 'HostDraws':
        self._before = self._states()
        self._hub: Any = MessageHub.get_current_instance()
        self._info = self._hub._runtime_info
        # Entries of a single hub: an exchanged method of the class would note
        # readings of all hubs in the process.
        self._noted = _NotedInfo(self._info)
        self._hub._runtime_info = self._noted
        return self

    def __exit__(self, *error: Any) -> None:
        self._hub._runtime_info = self._info
        read = list(self._noted.read)  # before the next line reads all
        # The block has written into the copy.
        self._info.update(self._noted)
        for name, now, before in zip(('random', 'numpy.random', 'torch'),
                                     self._states(), self._before):
            if now != before:
                self.found = f'draws from {name} on the host'
        for key in read:
            if key in _MOVING:
                self.found = f'reads {key} of the message hub'

    def _states(self) -> List[Any]:
        """Return the states of the generators, to be compared."""
        _, keys, *rest = np.random.get_state()
        # As bytes, since == between arrays gives an array.
        states: List[Any] = [
            random.getstate(), (np.asarray(keys).tobytes(), *rest)
        ]
        if self.device.type != 'cpu':
            states.append(torch.get_rng_state().numpy().tobytes())
        return states
