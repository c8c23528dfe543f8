"""A mixer with called layers gives the result of the fused op."""
import pytest
import torch
from common import assert_close, gradients
from test_bimamba_mixer import small_mixer
from torch import nn

from mmvideomamba.models.layers import MIXER_ORDERS, BiMambaMixer
from mmvideomamba.models.layers import bimamba_mixer as mixer_module
from mmvideomamba.ops.scan import exported

LAYERS = ('in_proj', 'conv1d', 'conv1d_b', 'x_proj', 'x_proj_b', 'dt_proj',
          'dt_proj_b', 'out_proj')


def results(mixer, x, order=None):
    """Return the output and every gradient, by name."""
    x = x.detach().requires_grad_()
    y = mixer(x, order)
    cotangent = torch.linspace(-1, 1, y.numel()).view(y.shape).to(y)
    inputs = dict(mixer.named_parameters(), x=x)
    return dict(gradients(y, inputs, cotangent), y=y)


def assert_same(found, wanted):
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        assert_close(found[name], value, 'chain', name=name)


def noted(mixer, names):
    """Note each call of the layers named in a list, in order."""
    calls = []
    for name in names:
        getattr(mixer, name).register_forward_hook(
            lambda *_, name=name: calls.append(name))
    return calls


@pytest.mark.parametrize('name', LAYERS)
def test_a_hook_on_a_layer(backend, device, name):
    torch.manual_seed(0)
    mixer = BiMambaMixer(16, d_state=4, backend=backend).to(device)
    x = torch.randn(2, 13, 16, device=device)
    wanted = results(mixer, x)
    calls = noted(mixer, [name])
    assert_same(results(mixer, x), wanted)
    assert calls == [name]


@pytest.mark.parametrize('order', MIXER_ORDERS)
@pytest.mark.parametrize('bidirectional', [True, False])
def test_hooks_on_all_layers(order, bidirectional):
    mixer = small_mixer(
        scan_order=order, bidirectional=bidirectional, bias=True)
    x, index = torch.randn(2, 7, 8).double(), torch.randperm(7)
    wanted = results(mixer, x, index)
    names = [n for n in LAYERS if bidirectional or not n.endswith('_b')]
    calls = noted(mixer, names)
    assert_same(results(mixer, x, index), wanted)
    times = 2 if order == 'spatiotemporal_v2' else 1
    outer = ['in_proj', 'out_proj']
    assert sorted(calls) == sorted(outer + times *
                                   [n for n in names if n not in outer])


@pytest.mark.parametrize('name', LAYERS)
def test_what_a_hook_returns_counts(name):
    mixer = small_mixer(bias=True)
    x = torch.randn(1, 5, 8).double()
    plain = mixer(x)
    layer = getattr(mixer, name)
    handle = layer.register_forward_hook(lambda layer, args, y: 0 * y)
    found = mixer(x)
    handle.remove()
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.zero_()
    assert_close(found, mixer(x))
    assert (found - plain).abs().max() > 1e-3


@pytest.mark.parametrize('name', LAYERS)
def test_an_exchanged_layer(name):
    mixer = small_mixer(bias=True)
    x = torch.randn(1, 5, 8).double()
    wanted = results(mixer, x)
    layer = getattr(mixer, name)
    setattr(mixer, name, nn.Sequential(layer))
    found = results(mixer, x)
    assert_same(
        {
            k.replace(f'{name}.0.', f'{name}.'): v
            for k, v in found.items()
        }, wanted)


@pytest.mark.parametrize('name, layer', [
    ('conv1d', nn.Conv1d(16, 16, 4, groups=16, padding=6, dilation=2)),
    ('conv1d_b', nn.Conv1d(16, 16, 3, groups=16, padding=1)),
    ('conv1d', nn.Conv1d(16, 16, 4, padding=3)),
    ('x_proj', nn.Linear(16, 9)),
    ('dt_proj_b', nn.Linear(1, 16, bias=False)),
])
def test_a_layer_of_the_class_that_computes_something_else(name, layer):
    mixer = small_mixer()
    x = torch.randn(1, 5, 8).double()
    layer.double()
    setattr(mixer, name, layer)
    found = mixer(x)
    # A layer inside of another is called in any case.
    setattr(mixer, name, nn.Sequential(layer))
    assert_close(found, mixer(x))


def test_backward_hooks():
    mixer = small_mixer()
    x = torch.randn(1, 5, 8).double()
    wanted = results(mixer, x)
    calls = []
    for name in LAYERS:
        getattr(mixer, name).register_full_backward_hook(
            lambda *_, name=name: calls.append(name))
    assert_same(results(mixer, x), wanted)
    assert sorted(calls) == sorted(LAYERS)


@pytest.mark.parametrize('name, layer', [
    ('x_proj', nn.Linear(16, 7)),
    ('dt_proj_b', nn.Linear(1, 15)),
    ('conv1d', nn.Conv1d(16, 16, 4)),
])
def test_a_layer_of_another_shape(name, layer):
    mixer = small_mixer()
    setattr(mixer, name, nn.Sequential(layer.double()))
    with pytest.raises(
            ValueError,
            match=f"in the place of {name.replace('_b', '')} must"):
        mixer(torch.randn(1, 5, 8).double())


def test_plain_layers_are_fused(monkeypatch):
    """The op gets the whole mixer, also after hooks were taken off."""
    fused = []
    op = mixer_module.bidirectional_mixer
    monkeypatch.setattr(mixer_module, 'bidirectional_mixer',
                        lambda *a, **kw: fused.append(1) or op(*a, **kw))
    mixer = small_mixer()
    x = torch.randn(1, 5, 8).double()
    mixer(x)
    handle = mixer.dt_proj_b.register_forward_hook(lambda *_: None)
    mixer(x)
    assert len(fused) == 1
    handle.remove()
    mixer(x)
    assert len(fused) == 2


def test_autocast(backend, device):
    torch.manual_seed(0)
    mixer = BiMambaMixer(16, d_state=4, backend=backend).to(device)
    x = torch.randn(2, 13, 16, device=device)
    wanted = mixer(x)
    noted(mixer, LAYERS)
    with torch.autocast(device.type, torch.bfloat16):
        found = mixer(x)
    assert found.dtype == torch.bfloat16
    assert_close(found.float(), wanted, 'chain', torch.bfloat16)


@pytest.mark.parametrize('hooked', [False, True])
def test_an_export_scans_both_directions_at_once(hooked, monkeypatch):
    """A layer with a hook sees the tokens in stored order."""
    monkeypatch.setattr(exported, 'CHUNK', 4)
    mixer = BiMambaMixer(16, d_state=4).eval().requires_grad_(False)
    if hooked:
        places = torch.linspace(0, 1, 7).view(1, 7, 1)
        mixer.x_proj_b.register_forward_hook(lambda _, __, y: y + places)
    x = torch.randn(2, 7, 16)
    program = torch.export.export(mixer, (x, ))
    assert_close(program.module()(x), mixer(x))
    loops = [
        node for node in program.graph.nodes
        if node.target is torch.ops.higher_order.scan
    ]
    assert len(loops) == (2 if hooked else 1)
