"""Layer-wise learning rates down to the blocks."""
import copy
from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DefaultScope
from torch import nn

from mmvideomamba.registry import MODELS

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / 'configs/recognition/kinetics400'
RECIPE = 'videomamba-middle_umt-k400-pre_16xb32-u8-45e_kinetics400-rgb.py'
NAME = 'mmvideomamba.LayerDecayOptimWrapperConstructor'
LAYERS = 3


@pytest.fixture
def cfg() -> Config:
    """Return a recipe's optimizer with the changes from the docs."""
    found = Config.fromfile(FOLDER / RECIPE)
    found.merge_from_dict({
        'optim_wrapper.constructor': NAME,
        'optim_wrapper.paramwise_cfg.layer_decay_rate': 0.8,
        'optim_wrapper.type': 'OptimWrapper',
    })
    found.optim_wrapper.pop('dtype')
    with DefaultScope.overwrite_default_scope('mmaction'):
        yield found


def rates(model: nn.Module, cfg: Config) -> dict:
    wrapper = build_optim_wrapper(model, copy.deepcopy(cfg.optim_wrapper))
    names = {id(p): name for name, p in model.named_parameters()}
    found = {
        names[id(p)]: (group['lr'], group['weight_decay'])
        for group in wrapper.optimizer.param_groups
        for p in group['params']
    }
    assert found.keys() == set(names.values())
    return found


def recognizer(cfg: Config) -> nn.Module:
    cfg.model.backbone.arch = dict(embed_dims=16, num_layers=LAYERS)
    cfg.model.cls_head.in_channels = 16
    return MODELS.build(cfg.model)


def power(name: str) -> int:
    embeddings = ('patch_embed.', 'cls_token', 'pos_embed',
                  'temporal_pos_embedding')
    if name.startswith(tuple(f'backbone.{key}' for key in embeddings)):
        return LAYERS + 1
    if name.startswith('backbone.layers.'):
        return LAYERS - int(name.split('.')[2])
    return 0


def test_rates_shrink_towards_the_input(cfg: Config) -> None:
    model = recognizer(cfg)
    found = rates(model, cfg)
    base = cfg.optim_wrapper.optimizer.lr
    for name, (lr, _) in found.items():
        assert lr == pytest.approx(base * 0.8**power(name)), name
    assert {power(name) for name in found} == set(range(LAYERS + 2))


def test_weight_decay_is_that_of_the_default(cfg: Config) -> None:
    model = recognizer(cfg)
    layered = rates(model, cfg)
    cfg.optim_wrapper.pop('constructor')
    cfg.optim_wrapper.paramwise_cfg.pop('layer_decay_rate')
    plain = rates(model, cfg)
    assert {
        k: v[1]
        for k, v in layered.items()
    } == {
        k: v[1]
        for k, v in plain.items()
    }


def test_without_a_rate_all_learn_alike(cfg: Config) -> None:
    cfg.optim_wrapper.paramwise_cfg.pop('layer_decay_rate')
    found = rates(recognizer(cfg), cfg)
    assert len({lr for lr, _ in found.values()}) == 1


@pytest.mark.parametrize('rate', [0, 1.5, -1])
def test_rate_is_checked(cfg: Config, rate: float) -> None:
    cfg.optim_wrapper.paramwise_cfg.layer_decay_rate = rate
    with pytest.raises(ValueError, match=f'layer_decay_rate .* {rate}'):
        rates(recognizer(cfg), cfg)


def test_model_must_know_its_depth(cfg: Config) -> None:
    with pytest.raises(ValueError, match='Linear has no backbone with'):
        rates(nn.Linear(2, 2), cfg)


def test_rates_below_lora(cfg: Config) -> None:
    """Adapters learn at the rate of the enclosing block."""
    recognizer(cfg)  # changes the config
    cfg.model.backbone.pop('init_cfg')
    cfg.model.backbone = dict(
        type='mmpretrain.LoRAModel',
        module=cfg.model.backbone,
        rank=2,
        targets=[dict(type='in_proj')])
    model = MODELS.build(cfg.model)
    wrapper = build_optim_wrapper(model, copy.deepcopy(cfg.optim_wrapper))
    names = {id(p): name for name, p in model.named_parameters()}
    base = cfg.optim_wrapper.optimizer.lr
    found = {
        names[id(p)]: group['lr'] / base
        for group in wrapper.optimizer.param_groups
        for p in group['params']
    }
    assert len(found) == 2 * LAYERS + 2
    for name, rate in found.items():
        short = name.replace('backbone.module.', 'backbone.')
        assert rate == pytest.approx(0.8**power(short)), name
