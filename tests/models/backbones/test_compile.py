"""torch.compile takes the backbone whole; tests/gpu uses its compiler."""
import pytest
import torch
from common import assert_close, small_backbone

from mmvideomamba.models.backbones import drop_draws, graphed
from mmvideomamba.models.layers import (bimamba_mixer, layerwise_scan,
                                        tubelet_embed)


def compare(model, compiled, x):
    """Compare output and gradients of a model with the compiled model."""
    results = []
    for forward in (model, compiled):
        torch.manual_seed(0)
        model.zero_grad()
        y, = forward(x)
        y.square().sum().backward()
        gradients = {k: p.grad for k, p in model.named_parameters()}
        results.append(dict(gradients, output=y))
    wanted, found = results
    for name, value in wanted.items():
        assert_close(found[name], value, 'gradient', name=name)


def test_no_graph_break(backend, device):
    if backend in ('numba', 'mamba_ssm'):
        pytest.skip('calls what torch.compile cannot see into')
    torch.compiler.reset()
    model = small_backbone(num_frames=1, mixer_cfg=dict(backend=backend))
    # Graphs stand back while torch.compile traces.
    graphed(model.to(device))
    compiled = torch.compile(model, backend='aot_eager', fullgraph=True)
    x = torch.randn(2, 3, 16, 16, device=device)
    compare(model, compiled, x)


def test_other_batch_sizes(backend, device):
    # torch.compile takes the second size for a symbol.
    if backend in ('numba', 'mamba_ssm'):
        pytest.skip('calls what torch.compile cannot see into')
    torch.compiler.reset()
    # A block is enough, and tracing with symbols is slow.
    model = small_backbone(
        arch=dict(embed_dims=16, num_layers=1),
        num_frames=1,
        mixer_cfg=dict(backend=backend))
    compiled = torch.compile(
        model.to(device), backend='aot_eager', fullgraph=True)
    for batch in (2, 3, 5):
        x = torch.randn(batch, 3, 16, 16, device=device, requires_grad=True)
        found, wanted = (
            torch.autograd.grad(forward(x)[0].square().sum(), x)[0]
            for forward in (compiled, model))
        assert_close(found, wanted, 'gradient')


def as_on_a_gpu(monkeypatch):
    """Let torch.compile trace the ops whole on a CPU, as on a GPU."""
    for module in (drop_draws, tubelet_embed, bimamba_mixer, layerwise_scan):
        monkeypatch.setattr(module, 'being_traced', lambda _: '')


@pytest.mark.slow
def test_no_graph_break_in_training(monkeypatch, backend, device):
    if backend != 'triton':
        pytest.skip('registered ops belong to the kernels')
    as_on_a_gpu(monkeypatch)
    torch.compiler.reset()
    model = small_backbone(
        num_frames=1,
        drop_path_rate=0.5,
        checkpoint_layers=1,
        mixer_cfg=dict(backend=backend)).to(device).train()
    compiled = torch.compile(model, backend='aot_eager', fullgraph=True)
    x = torch.randn(3, 3, 16, 16, device=device)
    compare(model, compiled, x)
