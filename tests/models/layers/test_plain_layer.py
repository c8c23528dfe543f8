"""Layers an op may replace by their weights, and layers to be called."""
import pytest
import torch
import torch.nn.utils.prune as prune
from mmcv.cnn.bricks import DropPath
from torch import nn
from torch.nn.modules.module import register_module_forward_hook
from torch.nn.utils import parametrizations

from mmvideomamba.models.layers import MIXER_ORDERS, BiMambaMixer, plain_layer
from mmvideomamba.models.layers.plain_layer import (drop_prob_of, is_plain,
                                                    is_plain_conv,
                                                    is_untouched)


class _Child(nn.Linear):
    """Another class, whose forward may be anything."""


def _changed_forward(layer):
    layer.forward = nn.Linear.forward.__get__(layer)
    return layer


def _noted(layer, register):
    getattr(layer, register)(lambda *args: None)
    return layer


class _Subclass(torch.Tensor):
    """A weight with operators of its own, as of a quantised layer."""


def _subclass_weight(layer):
    layer.weight = nn.Parameter(layer.weight.detach().as_subclass(_Subclass))
    return layer


HOOKS = ('register_forward_hook', 'register_forward_pre_hook',
         'register_full_backward_hook', 'register_full_backward_pre_hook')
CHANGES = dict(
    {
        h: lambda layer, h=h: _noted(layer, h)
        for h in HOOKS
    },
    forward=_changed_forward,
    subclass=_subclass_weight,
    pruned=lambda layer: prune.random_unstructured(layer, 'weight', 0.5),
    weight_norm=parametrizations.weight_norm,
    old_weight_norm=lambda layer: nn.utils.spectral_norm(layer))


@pytest.mark.parametrize('bias', [True, False])
def test_plain(bias):
    layer = nn.Linear(2, 3, bias=bias)
    assert is_plain(layer, nn.Linear)
    assert not is_plain(layer, nn.Conv1d)
    assert not is_plain(_Child(2, 3, bias=bias), nn.Linear)


@pytest.mark.parametrize('name', CHANGES)
def test_changed(name):
    assert not is_plain(CHANGES[name](nn.Linear(2, 3)), nn.Linear)


@pytest.mark.parametrize('name', HOOKS)
def test_hook_taken_off(name):
    layer = nn.Linear(2, 3)
    getattr(layer, name)(lambda *args: None).remove()
    assert is_plain(layer, nn.Linear)


def test_global_hook():
    layer = nn.Linear(2, 3)
    handle = register_module_forward_hook(lambda *args: None)
    try:
        assert not is_plain(layer, nn.Linear)
    finally:
        handle.remove()
    assert is_plain(layer, nn.Linear)


def test_weight_as_an_attribute():
    """Sharding puts views of a flat weight in the place of parameters."""
    layer = nn.Linear(2, 3)
    weight = layer.weight.detach()
    del layer.weight
    layer.weight = weight
    assert is_plain(layer, nn.Linear)
    del layer.weight
    assert not is_plain(layer, nn.Linear)


def test_a_forward_put_into_the_class(monkeypatch):
    layer = nn.Linear(2, 3)
    forward = nn.Linear.forward
    monkeypatch.setattr(nn.Linear, 'forward',
                        lambda self, x: 2 * forward(self, x))
    assert not is_plain(layer, nn.Linear)


@pytest.mark.parametrize('bias', [True, False])
def test_bias(bias):
    layer = nn.Linear(2, 3, bias=bias)
    assert is_plain(layer, nn.Linear, bias)
    assert not is_plain(layer, nn.Linear, not bias)


@pytest.mark.parametrize('change', [
    dict(stride=2),
    dict(padding=2),
    dict(padding='same'),
    dict(dilation=2),
    dict(groups=1),
    dict(padding_mode='circular'),
])
def test_geometry_of_a_convolution(change):

    def plain(**change):
        layer = nn.Conv1d(4, 4, 3, **dict(dict(groups=4, padding=1), **change))
        return is_plain_conv(layer, nn.Conv1d, (1, ), (1, ), 4)

    assert plain()
    assert not plain(**change)


@pytest.mark.parametrize('order', MIXER_ORDERS)
def test_a_called_layer_is_named_once(monkeypatch, order):
    lines = []
    monkeypatch.setattr(plain_layer, 'print_log',
                        lambda line, *_: lines.append(line))
    plain_layer._tell.cache_clear()
    mixers = [BiMambaMixer(8, scan_order=order) for _ in range(2)]
    for mixer in mixers:
        mixer(torch.zeros(1, 2, 8), torch.arange(2))
        assert not lines
    for mixer in mixers:
        mixer.x_proj_b = _Child(16, 33, bias=False)
        mixer(torch.zeros(1, 2, 8), torch.arange(2))
    assert len(lines) == 1
    assert lines[0].startswith('x_proj_b (_Child) is not a plain layer')


def test_drop_prob_of():
    layer = DropPath(.25)
    assert drop_prob_of(layer) == .25
    assert drop_prob_of(layer.eval()) == 0
    layer.train().drop_prob = 0.
    assert drop_prob_of(layer) == 0
    layer.drop_prob = torch.tensor(.5)
    assert drop_prob_of(layer) == 0
    assert drop_prob_of(nn.Dropout(.5)) == 0
    assert drop_prob_of(_noted(DropPath(.5), HOOKS[0])) == 0


def test_patched_drop_path(monkeypatch):
    assert is_untouched(DropPath(.5), DropPath)
    monkeypatch.setattr(DropPath, 'forward', lambda self, x: x)
    assert not is_untouched(DropPath(.5), DropPath)
