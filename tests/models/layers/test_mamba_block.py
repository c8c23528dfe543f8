import pytest
import torch
from common import assert_close

from mmvideomamba.models import MambaBlock


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
