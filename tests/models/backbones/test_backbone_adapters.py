"""Adapters, quantisation and pruning of a backbone take effect."""
import sys
from pathlib import Path

import pytest
import torch
import torch.nn.utils.prune as prune
from common import assert_close, small_backbone
from mmengine.registry import MODELS, DefaultScope
from torch import nn
from torch.nn.utils import parametrizations

import mmvideomamba.models  # noqa: F401
from mmvideomamba.models.layers import BiMambaMixer
from mmvideomamba.models.layers.plain_layer import is_plain

PROJECTIONS = ('in_proj', 'x_proj', 'x_proj_b', 'dt_proj', 'dt_proj_b',
               'out_proj')
CONVOLUTIONS = ('conv1d', 'conv1d_b', 'proj')


@pytest.fixture
def clip():
    return torch.randn(2, 3, 4, 16, 16)


def backbone(**kwargs):
    # A step rank above 1: the weights of rank 1 cannot be told from biases.
    return small_backbone(mixer_cfg=dict(dt_rank=3, **kwargs)).eval()


def adapted(model, names, **kwargs):
    """Return the model with LoRA of peft on the layers named."""
    peft = pytest.importorskip('peft')
    config = peft.LoraConfig(
        r=2, target_modules=list(names), init_lora_weights=False, **kwargs)
    return peft.get_peft_model(model, config)


@pytest.mark.parametrize('dora', [False, True])
@pytest.mark.parametrize('name', PROJECTIONS)
def test_lora_of_peft(clip, name, dora):
    model = backbone()
    before = model(clip)[0]
    model = adapted(model, [name], use_dora=dora)
    y = model(clip)[0]
    assert (y - before).abs().max() > 1e-3
    y.square().sum().backward()
    gradients = {k: p.grad for k, p in model.named_parameters()}
    trained = [k for k, p in model.named_parameters() if p.requires_grad]
    assert len(trained) == (3 if dora else 2) * 2
    assert all(gradients[k].abs().max() > 0 for k in trained)
    assert all(g is None for k, g in gradients.items() if k not in trained)
    with model.disable_adapter():
        assert_close(model(clip)[0], before)
    merged = model.merge_and_unload()
    assert_close(merged(clip)[0], y, 'chain')
    assert all(
        is_plain(getattr(layer.mixer, name), nn.Linear)
        for layer in merged.layers)


@pytest.mark.parametrize('name', CONVOLUTIONS)
def test_lora_on_convolutions(clip, name):
    model = backbone()
    before = model(clip)[0]
    # The rank must be divisible by the groups of the short convolution.
    rank = {} if name == 'proj' else dict(rank_pattern={name: 32})
    model = adapted(model, [name], **rank)
    y = model(clip)[0]
    assert (y - before).abs().max() > 1e-3
    y.square().sum().backward()
    assert all(p.grad.abs().max() > 0 for p in model.parameters()
               if p.requires_grad)
    if name == 'proj':  # peft does not merge convolutions with groups
        assert_close(model.merge_and_unload()(clip)[0], y, 'chain')


def test_lora_on_a_parameter(clip):
    """peft holds a parameter of the mixer itself by a parametrisation."""
    peft = pytest.importorskip('peft')
    model = backbone()
    before = model(clip)[0]
    config = peft.LoraConfig(
        r=2,
        target_modules=[],
        target_parameters=['mixer.A_log'],
        init_lora_weights=False)
    model = peft.get_peft_model(model, config)
    y = model(clip)[0]
    assert (y - before).abs().max() > 1e-4
    y.square().sum().backward()
    trained = {k: p for k, p in model.named_parameters() if p.requires_grad}
    # The class token is the first token: no state reaches token 0 in the last
    # block.
    assert all(p.grad.abs().max() > 0 for k, p in trained.items()
               if 'layers.0' in k)
    assert len(trained) == 4


def test_lora_of_mmpretrain(clip):
    model = dict(
        type='mmvideomamba.VideoMamba',
        arch=dict(embed_dims=16, num_layers=2),
        img_size=16,
        patch_size=8,
        num_frames=4,
        drop_path_rate=0.)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        model = MODELS.build(
            dict(
                type='mmpretrain.LoRAModel',
                module=model,
                alpha=4,
                rank=2,
                targets=[dict(type=f'.*{name}') for name in PROJECTIONS]))
    model.init_weights()
    names = [k for k, p in model.named_parameters() if p.requires_grad]
    assert len(names) == 2 * 2 * len(PROJECTIONS)
    before = model(clip)[0]
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if 'lora_' in name:
                parameter.normal_()
    y = model(clip)[0]
    assert (y - before).abs().max() > 1e-3
    y.square().sum().backward()
    for name, parameter in model.named_parameters():
        assert (parameter.grad is not None) == ('lora_' in name)
        assert parameter.grad is None or parameter.grad.abs().max() > 0


def test_dynamic_int8(clip):
    """Dynamic quantisation rounds the layers of the backbone."""
    model = backbone()
    before = model(clip)[0]
    quantised = torch.ao.quantization.quantize_dynamic(
        model, {nn.Linear}, dtype=torch.qint8)
    assert not any(type(m) is nn.Linear for m in quantised.modules())
    y = quantised(clip)[0]
    error = (y - before).abs().max() / before.abs().max()
    assert 1e-5 < error < 0.2


def test_weight_only_int8_of_torchao(clip, monkeypatch):
    aside = Path(sys.prefix) / 'share' / 'torchao'
    monkeypatch.syspath_prepend(str(aside))
    pytest.importorskip('torchao')
    from torchao.quantization import Int8WeightOnlyConfig, quantize_
    model = backbone()
    before = model(clip)[0]
    quantize_(model, Int8WeightOnlyConfig())
    y = model(clip)[0]
    error = (y - before).abs().max() / before.abs().max()
    assert 1e-5 < error < 0.2
    for module in model.modules():
        if isinstance(module, nn.Linear):
            weight = nn.Parameter(module.weight.dequantize())
            module.weight = weight
    assert_close(model(clip)[0], y, 'chain')


class Doubled(torch.Tensor):
    """A weight doubled in products, like a quantised weight with a scale."""

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        plain = [
            2 * a.as_subclass(torch.Tensor) if type(a) is cls else a
            for a in args
        ]
        with torch._C.DisableTorchFunctionSubclass():
            return func(*plain, **(kwargs or {}))


def test_a_weight_with_operators_of_its_own(clip):
    model, other = backbone(), backbone()
    other.load_state_dict(model.state_dict())
    for name in PROJECTIONS:
        layer = getattr(model.layers[0].mixer, name)
        weight = layer.weight.detach()
        with torch.no_grad():
            getattr(other.layers[0].mixer, name).weight.mul_(2)
        del layer.weight
        layer.weight = weight.as_subclass(Doubled)
    assert_close(model(clip)[0], other(clip)[0], 'chain')


@pytest.mark.parametrize('names', [PROJECTIONS, ('conv1d', 'conv1d_b'), ()])
def test_pruning(clip, names):
    model = backbone()
    layers = [getattr(b.mixer, name) for b in model.layers for name in names]
    layers = layers or [model.patch_embed.proj]
    for layer in layers:
        prune.l1_unstructured(layer, 'weight', amount=0.5)
    for _ in range(2):
        y = model(clip)[0]
        y.sum().backward()
    for layer in layers:
        assert layer.weight_orig.grad[layer.weight_mask == 0].abs().sum() == 0
        assert layer.weight_orig.grad.abs().max() > 0
        prune.remove(layer, 'weight')
    assert_close(model(clip)[0], y, 'chain')


def test_parametrisations(clip):
    model = backbone()
    before = model(clip)[0]
    for block in model.layers:
        for name in (*PROJECTIONS, 'conv1d', 'conv1d_b'):
            parametrizations.weight_norm(getattr(block.mixer, name))
    parametrizations.weight_norm(model.patch_embed.proj)
    for _ in range(2):
        y = model(clip)[0]
        y.sum().backward()
    assert_close(y, before, 'chain')
    length = model.layers[0].mixer.in_proj.parametrizations.weight.original0
    assert length.grad.abs().max() > 0
    with torch.no_grad():
        model.layers[0].norm.weight.mul_(0.5)
        length.mul_(2.)
    assert_close(model(clip)[0], y, 'chain')


@pytest.mark.parametrize('norm', ['RMSNorm', 'LN'])
def test_parametrised_norms_and_states(clip, norm):

    class Double(nn.Module):

        def forward(self, x):
            return 2 * x

    model = small_backbone(norm_cfg=dict(type=norm)).eval()
    wanted = small_backbone(norm_cfg=dict(type=norm)).eval()
    wanted.load_state_dict(model.state_dict())
    for block, other in zip(model.layers, wanted.layers):
        for module, name in ((block.norm, 'weight'), (block.mixer, 'A_log'),
                             (block.mixer, 'D_b')):
            nn.utils.parametrize.register_parametrization(
                module, name, Double(), unsafe=True)
        with torch.no_grad():
            for weight in (other.norm.weight, other.mixer.A_log,
                           other.mixer.D_b):
                weight.mul_(2)
    assert isinstance(model.layers[0].mixer, BiMambaMixer)
    assert_close(model(clip)[0], wanted(clip)[0])


def test_hooks_on_all_modules(clip):
    model = backbone()
    before = model(clip)[0]
    calls = []
    for name, module in model.named_modules():
        module.register_forward_hook(lambda *_, name=name: calls.append(name))
    assert_close(model(clip)[0], before)
    # A list of blocks is not a layer, and a first block has nothing to drop.
    silent = {'layers', 'layers.0.drop_path'}
    assert set(dict(model.named_modules())) - set(calls) == silent


def test_recomputed_blocks_with_adapters(clip):
    model = small_backbone(checkpoint_layers=2).train()
    wanted = small_backbone().train()
    wanted.load_state_dict(model.state_dict())
    grads = []
    for each in (model, wanted):
        each = adapted(each, PROJECTIONS)
        for name, parameter in each.named_parameters():
            if 'lora' in name:
                nn.init.constant_(parameter, 0.1)
        each(clip)[0].sum().backward()
        grads.append({
            k: p.grad
            for k, p in each.named_parameters() if p.requires_grad
        })
    for name, gradient in grads[1].items():
        assert_close(grads[0][name], gradient, 'gradient', name=name)
