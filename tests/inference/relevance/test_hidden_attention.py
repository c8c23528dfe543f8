"""The hidden attention is the linear operator of the scans."""
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from naive_ops import naive_scan
from torch import Tensor

from mmvideomamba.inference.relevance.hidden_attention import (class_row,
                                                               scan_row)
from mmvideomamba.models.layers import (MIXER_ORDERS, BiMambaMixer,
                                        temporal_order)

T, N = 3, 4  # frames, and patches of a frame
L = 1 + T * N


def draw_scan() -> tuple:
    """Draw step sizes, rates and weights in float64."""
    torch.manual_seed(0)
    delta = F.softplus(torch.randn(2, L, 5).double())
    A = -torch.rand(5, 3).double()
    B, C = torch.randn(2, 2, L, 3).double()
    return delta, A, B, C


def explicit_matrix(delta: Tensor, A: Tensor, B: Tensor, C: Tensor,
                    reverse: bool) -> Tensor:
    """Write alpha entry by entry, by the formula, (b, l, l, d)."""
    matrix = torch.zeros(2, L, L, 5).double()
    for i in range(L):
        for j in range(i, L) if reverse else range(i + 1):
            between = range(i, j) if reverse else range(j + 1, i + 1)
            product = torch.ones(2, 5, 3).double()
            for k in between:
                product = product * torch.exp(delta[:, k, :, None] * A)
            weight = (C[:, i, None] * product * B[:, j, None]).sum(-1)
            matrix[:, i, j] = weight * delta[:, j]
    return matrix


@pytest.mark.parametrize('reverse', [False, True])
def test_the_row_of_the_explicit_matrix(reverse: bool) -> None:
    delta, A, B, C = draw_scan()
    matrix = explicit_matrix(delta, A, B, C, reverse)
    row = scan_row(delta, A, B, C, reverse)
    torch.testing.assert_close(row, matrix[:, 0], rtol=1e-12, atol=1e-14)
    # And the matrix is the scan.
    u = torch.randn(2, L, 5).double()
    y, _ = naive_scan(u, delta, A, B, C, reverse=reverse)
    torch.testing.assert_close(torch.einsum('bijd,bjd->bid', matrix, u), y)
    assert row[:, 1:].any() == reverse


def make_mixer(order: str, **kwargs: Any) -> BiMambaMixer:
    torch.manual_seed(1)
    mixer = BiMambaMixer(6, d_state=4, scan_order=order, **kwargs).double()
    for parameter in mixer.parameters():
        parameter.data += 0.3 * torch.randn_like(parameter)
    return mixer


@pytest.mark.parametrize('order, kwargs', [(x, {}) for x in MIXER_ORDERS] +
                         [('spatial_first', dict(bidirectional=False)),
                          ('temporal_first', dict(bias=True))])
def test_the_row_times_the_content_is_what_the_mixer_computes(
        order: str, kwargs: dict) -> None:
    mixer = make_mixer(order, **kwargs)
    x = torch.randn(2, L, 6).double()
    index = temporal_order(T, N)
    row = class_row(mixer, x, index)
    y = (row.weights * row.content).sum((0, 2))
    expected = mixer(x, index)[:, 0]
    torch.testing.assert_close(mixer.out_proj(y), expected)
    if kwargs.get('bidirectional', True):
        assert (row.weights[:, :, 1:].sum(0).abs() > 0).all()


def test_places_are_mapped_back() -> None:
    """The content of token i is at position i, for every scan order.

    With a convolution of one tap, content depends on no other token.
    """
    index = temporal_order(T, N)
    x = torch.randn(1, L, 6).double()
    other = x.clone()
    other[:, 5] += 1
    for order in MIXER_ORDERS:
        mixer = make_mixer(order, d_conv=1)
        change = (class_row(mixer, x, index).content -
                  class_row(mixer, other, index).content).abs()
        moved = change.sum((0, 1, 3)) > 0
        assert moved.nonzero().flatten().tolist() == [5]


def test_layers_with_hooks_are_called() -> None:
    """Layers with hooks are called, as for an adapter."""
    mixer = make_mixer('spatial_first')
    x = torch.randn(1, L, 6).double()
    before = class_row(mixer, x).weights
    mixer.x_proj_b.register_forward_hook(lambda m, a, y: 2 * y)
    row = class_row(mixer, x)
    assert not torch.allclose(row.weights, before)
    y = (row.weights * row.content).sum((0, 2))
    torch.testing.assert_close(mixer.out_proj(y), mixer(x)[:, 0])
