"""Changes of a model's layers are noticed."""
import pytest
import torch
from common import small_backbone
from torch import nn
from torch.nn.modules.module import register_module_forward_pre_hook
from torch.nn.utils import parametrizations, prune

from mmvideomamba.models.backbones.layer_table import LayerTable


class Foreign(nn.Linear):
    """A layer of an unknown package, such as an adapter's."""


def exchange(model):
    model.layers[1].mixer.out_proj = nn.Linear(32, 16, bias=False)


def add(model):
    model.layers[0].mixer.adapter = nn.Identity()


def take_out(model):
    model.layers[1].drop_path = None


def wrap_forward(model):
    layer = model.patch_embed.proj
    layer.forward = layer.forward


CHANGES = [
    exchange, add, take_out, wrap_forward,
    lambda m: m.layers[0].norm.register_forward_hook(lambda *_: None),
    lambda m: m.layers[0].register_forward_pre_hook(lambda *_: None),
    lambda m: parametrizations.weight_norm(m.layers[0].mixer.in_proj),
    lambda m: nn.utils.parametrize.register_parametrization(
        m.layers[0].mixer, 'A_log', nn.Identity()), lambda m: prune.
    random_unstructured(m.layers[0].mixer.in_proj, 'weight', 0.5)
]


@pytest.mark.parametrize('change', CHANGES)
def test_a_change(change):
    model = small_backbone()
    table = LayerTable(model)
    assert table.same()
    change(model)
    assert not table.same()
    # Neither is what was changed before something to rely on.
    if change in CHANGES[4:]:
        assert not LayerTable(model).same()


def test_foreign_layers():
    model = small_backbone()
    model.layers[0].mixer.out_proj = Foreign(32, 16, bias=False)
    assert not LayerTable(model).same()


def test_global_hook():
    table = LayerTable(small_backbone())
    handle = register_module_forward_pre_hook(lambda *_: None)
    assert not table.same()
    handle.remove()
    assert table.same()


def test_what_may_change():
    model = small_backbone()
    table = LayerTable(model)
    before = table.weights()
    model.load_state_dict(small_backbone().state_dict())
    with torch.no_grad():
        model.cls_token.zero_()
    model.eval()
    assert table.same() and table.weights() == before


@pytest.mark.parametrize('change', [
    lambda m: m.double(),
    lambda m: m.load_state_dict(small_backbone().state_dict(), assign=True),
    lambda m: setattr(m.norm_f.weight, 'data', torch.ones(16)),
    lambda m: setattr(m.norm_f, 'weight', nn.Parameter(torch.ones(16))),
])
def test_weights_elsewhere(change):
    """A graph would read freed memory, or the weights of before."""
    model = small_backbone()
    table = LayerTable(model)
    before = table.weights()
    change(model)
    assert table.same() and table.weights() != before
