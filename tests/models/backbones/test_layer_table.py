"""Changes of a model's layers are noticed."""
import pytest
import torch
from common import small_backbone
from torch import nn
from torch.nn.modules.module import register_module_forward_pre_hook
from torch.nn.utils import parametrizations, prune

from mmvideomamba.models.backbones.layer_table import TRUSTED, LayerTable


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
    # A model with a lasting change gets no valid table either.
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
    model.eval().requires_grad_(False)
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


def setting(path, value):
    """Return a change of a plain attribute."""

    def change(model):
        *owner, name = path.split('.')
        setattr(model.get_submodule('.'.join(owner)), name, value)

    change.path = path
    return change


def append(model):
    model.out_indices.append(0)


append.path = 'out_indices'


@pytest.mark.parametrize('change', [
    setting('layers.1.drop_path.drop_prob', .5),
    setting('layers.1.drop_path.drop_prob', torch.ones(2)),
    setting('norm_f.eps', 1e-6),
    setting('layers.0.with_cp', True),
    setting('layers.0.mixer.scan_order', 'temporal_first'),
    setting('patch_embed.stride', (1, 4, 4)),
    lambda m: delattr(m.norm_f, 'eps'),
    append,
])
def test_a_setting(change):
    model = small_backbone()
    table = LayerTable(model)
    assert table.same() and table.changed_setting() == ''
    change(model)
    assert table.same_layers() and not table.same()
    assert table.changed_setting() == getattr(change, 'path', 'norm_f.eps')
    assert LayerTable(model).same()


@pytest.mark.parametrize('change,name', [
    (lambda m: m.norm_f.eval(), 'norm_f.training'),
    (lambda m: m.cls_token.requires_grad_(False), 'cls_token.requires_grad'),
    (lambda m: m.cls_token.register_hook(lambda g: None), ''),
    (lambda m: m.cls_token.register_post_accumulate_grad_hook(lambda p: None),
     ''),
    (lambda m: m.norm_f.register_full_backward_pre_hook(lambda *_: None), ''),
])
def test_what_matters_in_training(change, name):
    model = small_backbone()
    table, inference = LayerTable(model, training=True), LayerTable(model)
    assert table.same()
    change(model)
    assert not table.same() and table.changed_setting() == name
    assert table.same_layers() == bool(name)
    assert inference.same()


def test_other_packages():
    model = small_backbone()
    model.layers[0].mixer.out_proj = Foreign(32, 16, bias=False)
    here = Foreign.__module__.partition('.')[0]
    assert LayerTable(model, (*TRUSTED, here)).same()


def test_children_outside_of_the_calls():
    model = small_backbone()
    model.prepare = Foreign(2, 2)
    table = LayerTable(model, training=True, outside=('prepare', ))
    model.prepare.register_forward_hook(lambda *_: None)
    model.prepare.out_features = 3
    assert table.same()
    model.norm_f.register_forward_hook(lambda *_: None)
    assert not table.same()
