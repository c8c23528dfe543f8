"""Learning rate and weight decay of every parameter, as published."""
import json
from pathlib import Path

import pytest
from common import GOLDEN, golden
from mmengine import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from torch import nn

from mmvideomamba.registry import MODELS

ROOT = Path(__file__).parents[1]
SCHEDULE = ROOT / 'configs/_base_/schedules/adamw_videomamba.py'
TABLES = json.loads((GOLDEN / 'param_groups.json').read_text())['cases']
LR = 1e-3


def backbone_cfg(frames):
    return dict(
        type='mmvideomamba.VideoMamba',
        arch=dict(embed_dims=48, num_layers=3),
        img_size=32,
        patch_size=8,
        num_frames=frames)


def recognizer():
    init_default_scope('mmaction')
    return MODELS.build(
        dict(
            type='mmaction.Recognizer3D',
            backbone=backbone_cfg(4),
            cls_head=dict(
                type='mmvideomamba.VideoMambaHead',
                num_classes=10,
                in_channels=48)))


def classifier():
    init_default_scope('mmpretrain')
    return MODELS.build(
        dict(
            type='mmpretrain.ImageClassifier',
            backbone=backbone_cfg(1),
            head=dict(
                type='mmpretrain.LinearClsHead',
                num_classes=10,
                in_channels=48)))


def skeleton(weights):
    """Return modules with parameters of the given names and shapes."""
    root = nn.Module()
    for name, value in weights.items():
        *path, last = name.split('.')
        module = root
        for part in path:
            if not hasattr(module, part):
                module.add_module(part, nn.Module())
            module = getattr(module, part)
        module.register_parameter(last, nn.Parameter(value))
    return root


def schedule(weight_decay, embed_lr_mult=1.):
    """Read the schedule with the changes of a recipe."""
    cfg = Config.fromfile(SCHEDULE).optim_wrapper
    cfg.optimizer.update(lr=LR, weight_decay=weight_decay)
    keys = cfg.paramwise_cfg.custom_keys
    for name in ('cls_token', 'pos_embed', 'patch_embed.proj.weight',
                 'patch_embed.proj.bias'):
        keys[name].lr_mult = embed_lr_mult
    return cfg


def groups(model, cfg):
    """Return (lr, weight decay) by parameter name."""
    optimizer = build_optim_wrapper(model, cfg).optimizer
    found = {}
    names = {id(p): name for name, p in model.named_parameters()}
    for group in optimizer.param_groups:
        for parameter in group['params']:
            found[names[id(parameter)]] = (group['lr'], group['weight_decay'])
    assert found.keys() == set(names.values())
    return found


def check(found, table, rename):
    """Compare with a golden table; both must hold the same parameters."""
    assert len(found) == len(table)
    for row in table:
        lr, decay = found[rename(row['name'])]
        assert lr == pytest.approx(LR * row.get('lr_scale', 1.), rel=1e-9)
        assert decay == pytest.approx(row['weight_decay'], rel=1e-9)


@pytest.mark.parametrize('case,layer_decay',
                         [('video_layer_decay_0.8_wd_0.05', 0.8),
                          ('video_layer_decay_1.0_wd_0.1', 1.0)])
def test_video(case, layer_decay):
    table = TABLES[case]
    cfg = schedule(table['weight_decay'], layer_decay**4)

    def rename(name):
        if name.startswith('head.'):
            return name.replace('head.', 'cls_head.fc_cls.')
        return f'backbone.{name}'

    check(groups(recognizer(), cfg), table['params'], rename)


def test_image():

    def rename(name):
        if name.startswith('head.'):
            return name.replace('head.', 'head.fc.')
        return f'backbone.{name}'

    # The table was recorded for a model with fewer blocks.
    table = TABLES['image_wd_0.1']['params']
    found = groups(classifier(), schedule(0.1))
    names = {rename(row['name']) for row in table}
    check({k: v for k, v in found.items() if k in names}, table, rename)


def test_masked_pretraining():
    table = TABLES['masked_pretrain_wd_0.05']['params']
    weights = golden('masked_pretrain_student').under('one_layer/sd/')
    shapes = {
        k: v
        for k, v in weights.items() if any(k == row['name'] for row in table)
    }
    found = groups(skeleton(shapes), schedule(0.05))
    check(found, table, lambda name: name)


def test_decayed_tensors_of_a_tiny_video_model():
    cfg = backbone_cfg(8)
    cfg.update(arch=dict(embed_dims=192, num_layers=24))
    model = MODELS.build(cfg)
    found = groups(model, schedule(0.1))
    # With the head's weight, 24 * 10 + 2 of 416.
    assert sum(decay > 0 for _, decay in found.values()) == 24 * 10 + 1


def test_layer_decay_that_reaches_the_blocks():
    model = classifier()
    cfg = schedule(0.1)
    cfg.constructor = 'mmpretrain.LearningRateDecayOptimWrapperConstructor'
    cfg.paramwise_cfg = dict(
        layer_decay_rate=0.8,
        flat_decay_mult=0.,
        custom_keys={
            name: dict(decay_mult=0.)
            for name in ('cls_token', 'pos_embed', 'temporal_pos_embedding')
        })
    plain = groups(model, schedule(0.1))
    for name, (lr, decay) in groups(model, cfg).items():
        power = 0
        if 'embed' in name or 'cls_token' in name:
            power = 4
        elif 'layers.' in name:
            power = 3 - int(name.split('.')[2])
        assert lr == pytest.approx(LR * 0.8**power), name
        assert decay == plain[name][1], name
