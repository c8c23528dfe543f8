import pytest
import torch
from common import assert_close

from mmvideomamba.models.layers import AddLayerNorm, AddRMSNorm, build_add_norm


@pytest.mark.parametrize('kind', ['LN', 'LayerNorm'])
def test_layer_norm(kind):
    norm = build_add_norm(dict(type=kind, eps=1e-3), 12).double()
    assert isinstance(norm, AddLayerNorm)
    plain = torch.nn.LayerNorm(12, eps=1e-3).double()
    for a, b in zip(norm.parameters(), plain.parameters()):
        a.data.normal_()
        b.data.copy_(a.data)
    x, residual = torch.randn(2, 2, 3, 12, dtype=torch.float64)
    y, stream = norm(x, residual)
    assert_close(stream, x + residual)
    assert_close(y, plain(x + residual))
    assert_close(norm(x)[0], plain(x))


def test_rms_norm():
    norm = build_add_norm(dict(type='RMSNorm', eps=1e-2), 12).double()
    assert isinstance(norm, AddRMSNorm)
    norm.weight.data.normal_()
    x, residual = torch.randn(2, 2, 3, 12, dtype=torch.float64)
    y, stream = norm(x, residual)
    total = x + residual
    rms = (total.pow(2).mean(-1, keepdim=True) + 1e-2).sqrt()
    assert_close(stream, total)
    assert_close(y, total / rms * norm.weight)


@pytest.mark.parametrize('kind', ['RMSNorm', 'LN'])
def test_stream_is_float32(kind):
    norm = build_add_norm(dict(type=kind), 16).bfloat16()
    x = torch.randn(1, 3, 16).bfloat16()
    y, stream = norm(x)
    assert y.dtype == torch.bfloat16 and stream.dtype == torch.float32
    # A small branch is not lost in a large stream.
    stream = torch.full((1, 3, 16), 1000.)
    assert (norm(x.abs() + 0.1, stream)[1] > 1000).all()


@pytest.mark.parametrize('kind', ['RMSNorm', 'LN'])
def test_starts_as_identity_scale(kind):
    norm = build_add_norm(dict(type=kind), 4)
    assert norm.eps == 1e-5
    assert (norm.weight == 1).all()
    assert kind == 'RMSNorm' or not norm.bias.any()


@pytest.mark.parametrize('cfg', [dict(type='BN'), dict(), dict(eps=1e-5)])
def test_unknown_type(cfg):
    with pytest.raises(ValueError, match='norm_cfg has the unknown type'):
        build_add_norm(cfg, 4)


@pytest.mark.parametrize('kind', ['RMSNorm', 'LN'])
def test_dropped_samples(kind):
    norm = build_add_norm(dict(type=kind), 12)
    x, residual = torch.randn(2, 2, 3, 12)
    y, stream = norm(x, residual, torch.tensor([.1, .3]), .2)
    scale = torch.tensor([0, 1.25]).view(2, 1, 1)
    assert_close(stream, x * scale + residual)
    assert_close(y, norm(stream)[0])
