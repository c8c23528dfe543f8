import pytest
from mmengine.config import ConfigDict

from mmvideomamba.config_check import value_warnings
from mmvideomamba.config_check.frozen import frozen_warnings

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


@pytest.mark.parametrize('lora', [False, True])
def test_random_weights_that_stay(lora):
    stages = dict() if lora else dict(frozen_stages=2)
    place = 'model.backbone.module' if lora else 'model.backbone'
    warning, = frozen_warnings(config(lora=lora, **stages))
    assert warning.startswith(f'{place}: ')
    assert f'set {place}.init_cfg=' in warning
    assert not frozen_warnings(config(lora=lora, init_cfg=FILE, **stages))
    assert not frozen_warnings(
        config(lora=lora, init_cfg=[dict(type='Normal'), FILE], **stages))
    assert not frozen_warnings(config(lora=lora, load_from='a.pth', **stages))


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
