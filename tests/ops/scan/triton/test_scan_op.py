"""Tensors saved by the scan for the backward pass."""
import pytest
import torch
from common import device_of

from mmvideomamba.ops import selective_scan, use_backend


def test_inputs_alone_are_kept():
    device, reason = device_of('triton')
    if device is None:
        pytest.skip(reason)
    b, l, d, n = 1, 9, 8, 4
    made = dict(dtype=torch.bfloat16, device=device, requires_grad=True)
    u, delta, z = (torch.randn(b, l, d, **made) for _ in range(3))
    B, C = (torch.randn(b, l, n, **made) for _ in range(2))
    A = -torch.rand(d, n, device=device)
    kept = []

    def note(tensor):
        kept.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda t: t):
        with use_backend('triton'):
            y = selective_scan(
                u, delta, A.requires_grad_(), B, C, z=z, delta_softplus=True)
    inputs = (u, delta, z, A, B, C)
    assert {t.data_ptr() for t in kept} == {t.data_ptr() for t in inputs}
    y.sum().backward()
    assert all(t.grad is not None for t in inputs)
