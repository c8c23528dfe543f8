import pytest
import torch
from common import assert_close

from mmvideomamba.models.layers import AttentivePool


def test_formula():
    pool = AttentivePool(8, num_heads=2).double()
    with torch.no_grad():
        for p in pool.parameters():
            p.add_(torch.randn_like(p) * 0.3)
    x = torch.randn(3, 5, 8, dtype=torch.float64)
    tokens = pool.norm_in(x)
    q, k, v = (
        part.unflatten(-1, (2, 4)) for part in (
            torch.nn.functional.linear(t, w, b)
            for t, w, b in zip((pool.query.expand(3, -1, -1), tokens,
                                tokens), pool.attn.in_proj_weight.chunk(3),
                               pool.attn.in_proj_bias.chunk(3))))
    weights = torch.einsum('bqhd,bnhd->bhqn', q, k).div(2).softmax(-1)
    found = torch.einsum('bhqn,bnhd->bqhd', weights, v).flatten(2)
    wanted = pool.norm_out(pool.query + pool.attn.out_proj(found))[:, 0]
    assert_close(pool(x), wanted)
    # A map is as many tokens, and a tuple gives a tuple of the last.
    volume = x[:, :4].transpose(1, 2).reshape(3, 8, 1, 2, 2)
    assert_close(pool((x, volume))[0], pool(x[:, :4]))
    assert_close(pool(volume.flatten(2, 3)), pool(x[:, :4]))


@pytest.mark.parametrize('shape', [(2, 8), (2, 5, 6), (2, 6, 2, 2)])
def test_no_tokens(shape):
    with pytest.raises(
            ValueError, match=r"tokens \(b, n, 8\).*set out_type='raw'"):
        AttentivePool(8)((torch.zeros(shape), ))


@pytest.mark.parametrize('heads', [0, 3])
def test_bad_heads(heads):
    with pytest.raises(ValueError, match='num_heads must divide'):
        AttentivePool(8, num_heads=heads)
