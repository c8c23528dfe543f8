"""The copy for export computes as the model does, without adapters."""
import pytest
import torch
from common import assert_close
from micro_models import backbone, build, recognizer, scramble

from mmvideomamba.deployment import wrap
from mmvideomamba.deployment.plain_copy import plain_copy

LORA = dict(
    type='mmpretrain.LoRAModel',
    module=backbone(),
    alpha=4,
    rank=2,
    drop_rate=0.5,
    targets=[dict(type='in_proj'), dict(type='out_proj')])


def same(model: torch.nn.Module) -> torch.nn.Module:
    """Compare a copy with the model, and return the copy."""
    wrapper = wrap(model).eval()
    before = {k: v.clone() for k, v in wrapper.state_dict().items()}
    plain = plain_copy(wrapper)
    x = wrapper.random_input((2, 3))
    with torch.no_grad():
        for found, expected in zip(plain(x), wrapper(x)):
            assert_close(found, expected, 'chain')
    assert all(
        torch.equal(v, before[k]) for k, v in wrapper.state_dict().items())
    assert not any(p.requires_grad for p in plain.parameters())
    return plain


@pytest.mark.parametrize('whole', [True, False])
def test_adapters_of_mmpretrain(whole: bool) -> None:
    """Low-rank layers become part of the weights."""
    model = recognizer(backbone=LORA) if whole else build(LORA, 'mmaction')
    assert any('lora_' in name for name, _ in model.named_modules())
    plain = same(model)
    assert not any('lora' in name for name, _ in plain.named_parameters())
    assert type(plain.backbone.layers[0].mixer.in_proj) is torch.nn.Linear


@pytest.mark.parametrize('way', ['around', 'inside'])
def test_adapters_of_peft(way: str) -> None:
    """An adapted backbone, and adapters injected into a model, are merged."""
    peft = pytest.importorskip('peft')
    config = peft.LoraConfig(
        r=2, target_modules=['in_proj', 'x_proj'], init_lora_weights=False)
    inner = build(backbone(), 'mmaction')
    wrapped = dict(
        around=peft.get_peft_model,
        inside=lambda model, config: peft.inject_adapter_in_model(
            config, model))[way](inner, config)
    plain = same(scramble(wrapped).eval())
    assert not any('lora' in name for name, _ in plain.named_modules())


def test_an_adapter_that_cannot_be_merged() -> None:
    """The error names the layer."""

    class Adapter(torch.nn.Linear):

        def get_base_layer(self) -> None:
            raise AssertionError

    model = build(backbone(), 'mmaction')
    model.layers[0].mixer.in_proj = Adapter(8, 32)
    with pytest.raises(ValueError, match='at layers.0.mixer.in_proj cannot'):
        plain_copy(model)


def test_settings_of_a_training() -> None:
    """Half precision, a named backend and CUDA graphs are dropped."""
    model = build(
        backbone(mixer_cfg=dict(backend='triton'), cuda_graph=True),
        'mmaction').half()
    plain = plain_copy(model)
    assert {p.dtype for p in plain.parameters()} == {torch.float32}
    assert plain.layers[0].mixer.backend == 'auto'
    assert 'forward' not in vars(plain)
    assert model.layers[0].mixer.backend == 'triton'
