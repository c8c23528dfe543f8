"""Files for models with adapters, by mmpretrain's LoRAModel and by peft."""
import copy

import peft
import pytest
import torch
from common import official_weights, small_backbone
from mmengine.runner.checkpoint import load_state_dict
from mmpretrain.models.peft import LoRAModel

SMALL = dict(
    type='mmvideomamba.VideoMamba',
    arch=dict(embed_dims=16, num_layers=2),
    img_size=16,
    patch_size=8,
    num_frames=4)


def lora(rank=2, targets=('in_proj', 'out_proj'), **kwargs):
    """Build a LoRAModel of a backbone with random weights and adapters."""
    model = LoRAModel(
        dict(SMALL, **kwargs),
        alpha=2,
        rank=rank,
        targets=[dict(type=name) for name in targets])
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.2)
    return model


def of(model, adapters):
    """Return the adapters of a model, or the other tensors."""
    return {
        k: p.clone()
        for k, p in model.named_parameters() if ('.lora_' in k) == adapters
    }


def equal(one, other):
    return one.keys() == other.keys() and all(
        torch.equal(one[k], other[k]) for k in one)


def test_pretrained_file_below_lora(tmp_path):
    source = small_backbone()
    torch.save(official_weights(source), tmp_path / 'a.pth')
    model = LoRAModel(
        dict(
            SMALL,
            init_cfg=dict(
                type='Pretrained', checkpoint=str(tmp_path / 'a.pth'))),
        alpha=2,
        rank=2,
        targets=[dict(type='in_proj')])
    named = dict(model.module.named_parameters())
    for name, wanted in source.named_parameters():
        found = named.get(name)
        if found is None:
            name = name.replace('in_proj.', 'in_proj.original_layer.')
            found = named[name]
        assert torch.equal(found, wanted), name


@pytest.mark.parametrize('strict', [False, True])
def test_adapters_alone(strict):
    """A LoRAModel saves adapters alone; loading keeps all other weights."""
    source, model = lora(), lora()
    before = of(model, False)
    state = source.state_dict()
    assert set(state) == set(of(source, True))
    model.load_state_dict(state, strict=strict)
    assert equal(of(model, True), of(source, True))
    assert equal(of(model, False), before)


def test_file_of_an_ordinary_model():
    """Loaded into the backbone after the adapters came."""
    source, model = small_backbone(), lora()
    before = of(model, True)
    model.module.load_state_dict(source.state_dict())
    assert equal(of(model, True), before)
    found = {
        k[len('module.'):].replace('.original_layer', ''): v
        for k, v in of(model, False).items()
    }
    assert equal(found, dict(source.named_parameters()))


@pytest.mark.parametrize('other, text', [
    (dict(rank=3), r'\(3, 16\) in the file, \(2, 16\) in the model.*rank'),
    (dict(targets=('in_proj', )), 'out_proj.lora_down.weight is missing'),
    (dict(targets=('in_proj', 'out_proj', 'x_proj')),
     'x_proj.lora_down.weight has no place'),
])
def test_other_adapters(other, text):
    with pytest.raises(ValueError, match=text):
        lora().load_state_dict(lora(**other).state_dict())


@pytest.mark.parametrize('part', ['adapters', 'whole'])
def test_model_without_adapters(part):
    source = lora()
    state = source.state_dict() if part == 'adapters' else {
        f'module.{k}': p
        for k, p in source.module.named_parameters()
    }
    state = {k[len('module.'):]: v for k, v in state.items()}
    with pytest.raises(ValueError, match='has adapters in .* tensors, such'):
        small_backbone().load_state_dict(state)


def test_load_from_names_the_remedy():
    """mmengine gives the backbone only the names below LoRAModel."""
    state = {
        f'backbone.{k}': v
        for k, v in small_backbone().state_dict().items()
    }
    holder = torch.nn.Module()
    holder.backbone = lora()
    with pytest.raises(ValueError, match='below a LoRAModel, name it in the'):
        load_state_dict(holder, state)


def test_peft():
    config = peft.LoraConfig(r=2, target_modules=['in_proj', 'x_proj'])
    source, model = (
        peft.get_peft_model(small_backbone(), config) for _ in range(2))
    with torch.no_grad():
        for p in of(source, True):
            source.get_parameter(p).add_(1.)
    before = of(model, False)
    state = peft.get_peft_model_state_dict(source)
    peft.set_peft_model_state_dict(model, state)
    assert equal(of(model, True), of(source, True))
    assert equal(of(model, False), before)
    # A second adapter next to the first.
    model.add_adapter('other', config)
    peft.set_peft_model_state_dict(model, state, adapter_name='other')
    model.load_state_dict(model.state_dict())
    merged = source.merge_and_unload()
    small_backbone().load_state_dict(merged.state_dict())


@pytest.mark.parametrize('extras', [
    dict(bias='all'),
    dict(modules_to_save=['norm', 'norm_f']),
    dict(modules_to_save=['patch_embed']),
    dict(bias='all', modules_to_save=['patch_embed', 'norm']),
])
def test_peft_with_further_weights(tmp_path, extras):
    """peft saves further weights besides adapters; a whole model loads too."""
    config = peft.LoraConfig(
        r=2, target_modules=['in_proj', 'dt_proj'], **extras)
    base = small_backbone()
    source = peft.get_peft_model(copy.deepcopy(base), config)
    with torch.no_grad():
        for parameter in source.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn_like(parameter))
    source.save_pretrained(tmp_path)
    model = peft.PeftModel.from_pretrained(base, tmp_path)
    wanted = source.state_dict()
    assert equal(model.state_dict(), wanted)
    other = peft.get_peft_model(small_backbone(), config)
    other.load_state_dict(wanted)
    assert equal(other.state_dict(), wanted)
    # A bias without a place in the model, or of another shape.
    name = 'base_model.model.layers.0.mixer.{}.bias'
    adapters = peft.get_peft_model_state_dict(source)
    for layer in ('other_proj', 'conv1d'):
        with pytest.raises(
                ValueError, match=f'such as layers.0.mixer.{layer}'):
            peft.set_peft_model_state_dict(
                model, {
                    **adapters, name.format(layer): torch.ones(3)
                })


def test_ordinary_file_below_copies_of_layers():
    """The copies run, so the weights of the file go there as well."""
    model = peft.get_peft_model(
        small_backbone(),
        peft.LoraConfig(
            target_modules=['in_proj'], modules_to_save=['patch_embed']))
    source = small_backbone()
    model.base_model.model.load_state_dict(source.state_dict())
    x = torch.randn(1, 3, 4, 16, 16)
    assert torch.equal(model(x)[0], source(x)[0])


def test_quantised_model():
    source, model = (
        torch.ao.quantization.quantize_dynamic(small_backbone(),
                                               {torch.nn.Linear})
        for _ in range(2))
    model.load_state_dict(source.state_dict())
    x = torch.randn(1, 3, 4, 16, 16)
    assert torch.equal(model(x)[0], source(x)[0])
    with pytest.raises(ValueError, match='missing, such as .*in_proj.scale'):
        model.load_state_dict(small_backbone().state_dict())
