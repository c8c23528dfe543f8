import pytest
from mmengine.config import ConfigDict

from mmvideomamba.config_check import value_faults, value_warnings
from mmvideomamba.config_check.frozen import frozen_faults, frozen_warnings

FILE = dict(type='Pretrained', checkpoint='a.pth')


def config(mults=None, load_from=None, lora=False, **backbone):
    node = dict(type='mmvideomamba.VideoMamba', **backbone)
    if lora:
        node = dict(type='mmpretrain.LoRAModel', module=node)
    keys = {k: dict(lr_mult=v) for k, v in (mults or {}).items()}
    return ConfigDict(
        model=dict(type='Recognizer3D', backbone=node),
        load_from=load_from,
        optim_wrapper=dict(
            optimizer=dict(type='SGD', lr=1, weight_decay=0),
            paramwise_cfg=dict(custom_keys=keys)))


@pytest.mark.parametrize('key', ['backbone', 'layers', 'backbone.layers.0'])
def test_a_rate_of_nothing(key):
    cfg = config({key: 0., 'head': 1.})
    warning, = frozen_warnings(cfg)
    assert warning.startswith(
        f'optim_wrapper.paramwise_cfg.custom_keys.{key}.lr_mult=0: ')
    assert 'model.backbone.frozen_stages=K' in warning
    assert warning in value_warnings(cfg, True)
    assert value_warnings(cfg, False) == []


def test_random_weights_that_stay():
    warning, = frozen_warnings(config(frozen_stages=2))
    assert warning.startswith('model.backbone: frozen_stages=2 leaves ')
    assert 'set model.backbone.init_cfg=' in warning
    for init in (FILE, [dict(type='Normal'), FILE]):
        assert not frozen_warnings(config(frozen_stages=2, init_cfg=init))
    assert not frozen_warnings(config(frozen_stages=2, load_from='a.pth'))


@pytest.mark.parametrize('training', [True, False])
@pytest.mark.parametrize('load_from', [None, 'adapters.pth'])
def test_lora_needs_its_file(load_from, training):
    """A LoRA checkpoint holds adapters alone: init_cfg is needed besides."""
    cfg = config(lora=True, load_from=load_from)
    fault, = value_faults(cfg, training)
    assert fault.startswith('model.backbone.module: checkpoints of LoRAModel')
    assert 'set model.backbone.module.init_cfg=' in fault
    assert value_warnings(cfg, training) == []
    cfg = config(lora=True, init_cfg=FILE, load_from=load_from)
    assert frozen_faults(cfg) == frozen_warnings(cfg) == []


@pytest.mark.parametrize('cfg', [
    config(),
    config({'backbone': 0.1}),
    config({'pos_embed': 0.}),
    config({'backbone': 0.}, frozen_stages=3, init_cfg=FILE),
    dict(),
    dict(model=dict(type='Recognizer3D', backbone=dict(type='ResNet'))),
])
def test_nothing_to_tell(cfg):
    assert frozen_warnings(cfg) == []
