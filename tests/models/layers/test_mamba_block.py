import pytest
import torch
from common import assert_close
from torch import nn
from torch.utils.checkpoint import checkpoint

from mmvideomamba.models import MambaBlock
from mmvideomamba.models.layers import mamba_block


def test_adds_norms_mixes():
    block = MambaBlock(16, drop_path_rate=0.5).double().eval()
    hidden, residual = torch.randn(2, 2, 5, 16, dtype=torch.float64)
    out, stream = block(hidden, residual)
    assert_close(stream, hidden + residual)
    assert_close(out, block.mixer(block.norm(hidden + residual)[0]))


def test_first_block_drops_nothing():
    block = MambaBlock(16, drop_path_rate=0.999).train()
    hidden = torch.randn(8, 5, 16)
    assert torch.equal(block(hidden)[1], hidden)


def test_drops_the_incoming_branch_of_whole_samples():
    block = MambaBlock(16, drop_path_rate=0.5).train()
    hidden, residual = torch.randn(2, 64, 3, 16)
    stream = block(hidden, residual)[1]
    kept = (stream != residual).flatten(1).any(1)
    assert 16 < kept.sum() < 48
    assert torch.equal(stream[~kept], residual[~kept])
    assert_close(stream[kept], residual[kept] + 2 * hidden[kept])


@pytest.mark.parametrize('order', ['spatial_first', 'temporal_first'])
def test_checkpointing_changes_no_gradient(monkeypatch, order):
    blocks = [
        MambaBlock(16, mixer_cfg=dict(scan_order=order), with_cp=cp)
        for cp in (False, True)
    ]
    blocks[1].load_state_dict(blocks[0].state_dict())
    x = torch.randn(2, 5, 16)
    index = torch.tensor([0, 1, 3, 2, 4])
    found, calls = [], []
    for block in blocks:
        block.mixer.register_forward_pre_hook(lambda *_: calls.append(1))
        x = x.detach().requires_grad_()
        out, stream = block(x, torch.ones_like(x), index)
        (out.sin() + stream).sum().backward()
        found.append([x.grad] + [p.grad for p in block.parameters()])
    # Once, then once and again in backward.
    assert len(calls) == 3
    for a, b in zip(*found):
        assert torch.equal(a, b)


def test_no_recomputation_without_need():
    block = MambaBlock(16, with_cp=True)
    calls = []
    block.mixer.register_forward_pre_hook(lambda *_: calls.append(1))
    block.eval()(torch.randn(1, 3, 16, requires_grad=True))[0].sum().backward()
    with torch.no_grad():
        block.train()(torch.randn(1, 3, 16))
    assert len(calls) == 2


def test_layer_norm():
    block = MambaBlock(16, norm_cfg=dict(type='LN'))
    assert {'norm.weight', 'norm.bias'} <= set(block.state_dict())


@pytest.mark.parametrize('kind', ['RMSNorm', 'LN'])
def test_a_draw_is_the_drop_path(monkeypatch, kind):
    block = MambaBlock(
        16, norm_cfg=dict(type=kind), drop_path_rate=0.4).train()
    hidden, residual = torch.randn(2, 3, 5, 16)
    draw = torch.tensor([.1, .5, .9])
    found = block(hidden, residual, draw=draw)
    monkeypatch.setattr(torch, 'rand', lambda shape, **_: draw.view(shape))
    for a, b in zip(found, block(hidden, residual)):
        assert_close(a, b)
    assert torch.equal(found[1][0], residual[0])


def test_who_takes_a_draw():
    block = MambaBlock(16, drop_path_rate=0.4)
    assert block.drop_prob() == .4
    handle = block.norm.register_forward_pre_hook(lambda *_: None)
    assert block.drop_prob() == 0
    handle.remove()
    block.norm = nn.LayerNorm(16)
    assert block.drop_prob() == 0


def test_recomputation_of_a_plain_mixer_stores_no_generator(monkeypatch):
    kept = []

    def look(*args, preserve_rng_state, **kwargs):
        kept.append(preserve_rng_state)
        return checkpoint(*args, **kwargs)

    monkeypatch.setattr(mamba_block, 'checkpoint', look)
    block = MambaBlock(16, with_cp=True)
    x = torch.randn(2, 5, 16, requires_grad=True)
    parameters = [x, *block.norm.parameters(), *block.mixer.parameters()]
    found = torch.autograd.grad(block(x)[0].sin().sum(), parameters)
    block.with_cp = False
    wanted = torch.autograd.grad(block(x)[0].sin().sum(), parameters)
    assert all(torch.equal(a, b) for a, b in zip(found, wanted))
    block.with_cp = True
    block.mixer.out_proj = nn.Sequential(block.mixer.out_proj, nn.Dropout(.5))
    block(x)
    block.mixer = nn.Dropout(.5)
    with pytest.raises(TypeError):  # no order for a dropout
        block(x)
    assert kept == [False, True, True]
