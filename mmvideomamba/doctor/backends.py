"""Devices, and the backends of the ops."""
import functools
import os
import platform
from typing import Any, Iterator, List

import torch

from ..ops import available_backends, selective_scan
from ..ops.runtime.settings import BACKEND, SWITCHES
from ..ops.runtime.verdicts import COMMAND, device_verdicts
from .finding import NOTE, OK, Finding, try_probe


def check_devices() -> List[Finding]:
    """List the system, the devices and relevant variables."""
    found = [
        Finding(OK, 'system', platform.platform()),
        Finding(
            OK, 'cpu', f'{os.cpu_count()} cores, torch uses '
            f'{torch.get_num_threads()} threads')
    ]
    for index in range(torch.cuda.device_count()):
        card = torch.cuda.get_device_properties(index)
        found.append(
            Finding(
                OK, f'cuda:{index}', f'{card.name}, capability '
                f'{card.major}.{card.minor}, {card.total_memory >> 20} MiB, '
                f'CUDA {torch.version.cuda or torch.version.hip}'))
    if not torch.cuda.is_available():
        found.append(Finding(NOTE, 'cuda', 'no device'))
    for name in (BACKEND, *SWITCHES, 'TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD',
                 'CUDA_VISIBLE_DEVICES', 'OMP_NUM_THREADS',
                 'TRITON_INTERPRET'):
        if name in os.environ:
            found.append(Finding(NOTE, name, repr(os.environ[name])))
    return found


def _scan(backend: str, device: str) -> List[torch.Tensor]:
    """Scan a small fixed sequence; return the output and gradients."""
    generator = torch.Generator().manual_seed(0)
    # From 0 to 1: the step delta of a scan is positive.
    u, delta, z, B, C = (
        torch.rand(2, 9, width, generator=generator)
        for width in (16, 16, 16, 4, 4))
    # Negative as in a model, so that the states decay.
    A = -1 - torch.rand(16, 4, generator=generator)
    inputs = [x.to(device).requires_grad_() for x in (u, delta, A, B, C)]
    scan: Any = selective_scan
    y = scan(*inputs, z=z.to(device), backend=backend)
    grads = torch.autograd.grad(y.square().sum(), inputs)
    return [t.detach().cpu() for t in (y, *grads)]


def _probe_backend(name: str) -> str:
    """Compare a backend with the definition."""
    device = 'cuda' if name in ('triton', 'mamba_ssm') else 'cpu'
    for got, want in zip(_scan(name, device), _scan('torch', 'cpu')):
        torch.testing.assert_close(got, want, rtol=1e-3, atol=1e-4)
    return f'runs on {device}, equal to the definition'


def check_backends() -> Iterator[Finding]:
    """Run every available scan backend; say why the others cannot run."""
    for name, reason in available_backends().items():
        if reason:
            yield Finding(NOTE, name, f'cannot run: {reason}')
        else:
            yield try_probe(name, functools.partial(_probe_backend, name))


def check_verdicts() -> List[Finding]:
    """Say of each GPU whether the self-check found the kernels right."""
    found: List[Finding] = []
    if available_backends()['triton']:
        return found
    for name, verdict in device_verdicts().items():
        if verdict is None:
            text = f'kernels unchecked on {name}: {COMMAND}'
            found.append(Finding(NOTE, 'kernels', text))
            continue
        wrong = ', '.join(f'{w.family} {w.dtype_name}' for w in verdict.wrong)
        text = f'checked on {name}, {verdict.checked[:10]}'
        found.append(
            Finding(NOTE if wrong else OK, 'kernels',
                    f'{text}, wrong and avoided: {wrong}' if wrong else text))
    return found
