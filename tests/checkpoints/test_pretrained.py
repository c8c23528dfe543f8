"""init_cfg and mmengine's loaders, beyond the tests of the three ways."""
from pathlib import Path
from typing import Any, List, Union

import pytest
import torch
from common import official_weights, small_backbone
from mmengine.model import BaseModule, PretrainedInit
from mmengine.registry import DefaultScope, init_default_scope
from mmengine.runner import CheckpointLoader
from mmengine.runner import checkpoint as host
from mmengine.runner import load_checkpoint
from test_three_ways import SMALL, prefixed, recognizer, save
from torch import nn

from mmvideomamba.checkpoints import init_from_file
from mmvideomamba.checkpoints.pretrained import for_whole_model
from mmvideomamba.models import VideoMamba
from mmvideomamba.registry import MODELS


def backbone(path: Union[str, Path], **options: Any) -> VideoMamba:
    cfg = dict(type='Pretrained', checkpoint=str(path), **options)
    model = MODELS.build(dict(SMALL, init_cfg=cfg))
    model.init_weights()
    return model


@pytest.mark.parametrize('stored, prefix', [
    ('backbone.', 'backbone.'), ('backbone.', 'backbone'), ('', 'backbone.'),
    ('module.backbone.', 'backbone.'), ('model.', 'model.'),
    ('encoder.', 'encoder.'), ('model.backbone.', 'model.backbone.')
])  # yapf: disable
def test_prefix_of_a_config(stored: str, prefix: str, tmp_path: Path) -> None:
    source = small_backbone()
    weights = official_weights(source, classes=0)
    path = save(tmp_path, dict(state_dict=prefixed(stored, weights)))
    found = backbone(path, prefix=prefix).state_dict()
    assert all(torch.equal(found[k], v) for k, v in weights.items())


@pytest.mark.parametrize('wrapper', ['state_dict', 'model', 'net'])
@pytest.mark.parametrize('prefix', [
    'flow.', 'backbone.flow', 'module.backbone.flow.', 'ema_model.',
    'momentum_encoder.'
])  # yapf: disable
def test_prefix_chooses_a_model(prefix: str, wrapper: str,
                                tmp_path: Path) -> None:
    """Of several models of equal rank, too, and with ``ema=True``."""
    source, other = small_backbone(), small_backbone()
    weights = {
        **prefixed('backbone.rgb.', official_weights(other)),
        **prefixed(prefix.rstrip('.') + '.', official_weights(source))
    }
    path = save(tmp_path, {wrapper: weights})
    for options in [{}, dict(ema=True)] if 'ema' in prefix else [{}]:
        found = backbone(path, prefix=prefix, **options)
        assert torch.equal(found.cls_token, source.cls_token)


def test_prefix_and_ema_weights(tmp_path: Path) -> None:
    source, mean = small_backbone(), small_backbone()
    path = save(
        tmp_path,
        dict(
            model=prefixed('backbone.', official_weights(source)),
            model_ema=prefixed('module.backbone.', official_weights(mean))))
    for ema, wanted in ((False, source), (True, mean)):
        found = backbone(path, prefix='backbone.', ema=ema)
        assert torch.equal(found.cls_token, wanted.cls_token)


def test_unknown_prefix(tmp_path: Path) -> None:
    path = save(tmp_path, official_weights(small_backbone()))
    with pytest.raises(ValueError, match="in.pth: no tensor .*'neck.'.*cls_t"):
        backbone(path, prefix='neck')


def test_further_initialisers_come_first(tmp_path: Path) -> None:
    source = small_backbone()
    path = save(tmp_path, official_weights(source))
    cfg = [
        dict(type=PretrainedInit, checkpoint=str(path)),
        dict(type='Constant', layer='Linear', val=7.)
    ]
    model = MODELS.build(dict(SMALL, init_cfg=cfg))
    model.init_weights()
    assert torch.equal(model.layers[0].mixer.in_proj.weight,
                       source.layers[0].mixer.in_proj.weight)
    assert model.is_init and len(model.init_cfg) == 2


def test_failed_file_is_tried_again(tmp_path: Path) -> None:
    path, source = tmp_path / 'in.pth', small_backbone()
    cfg = dict(type='Pretrained', checkpoint=str(path))
    model = MODELS.build(dict(SMALL, init_cfg=cfg))
    with pytest.raises(FileNotFoundError):
        model.init_weights()
    save(tmp_path, official_weights(source))
    model.init_weights()
    assert torch.equal(model.norm_f.weight, source.norm_f.weight)


def test_module_without_a_file() -> None:
    calls: List[int] = []
    init_from_file(BaseModule(), lambda: calls.append(1))
    assert calls == [1]


def whole_model(host_name: str) -> nn.Module:
    """Build the model of a host around an image backbone."""
    if host_name == 'mmaction':
        return recognizer(num_frames=1)
    init_default_scope('mmpretrain')
    return MODELS.build(
        dict(
            type='mmpretrain.ImageClassifier',
            backbone=dict(SMALL, num_frames=1),
            head=dict(
                type='mmpretrain.LinearClsHead', num_classes=5,
                in_channels=16)))


@pytest.mark.parametrize('scope', ['mmaction', 'mmpretrain', 'mmengine'])
@pytest.mark.parametrize('host_name, head', [
    ('mmaction', 'cls_head.fc_cls.'), ('mmpretrain', 'head.fc.')
])  # yapf: disable
def test_published_file_in_either_host(host_name: str, head: str, scope: str,
                                       tmp_path: Path) -> None:
    """Head and backbone load in either scope, without leftover weights."""
    weights = official_weights(small_backbone(num_frames=1))
    distilled = {
        **weights, 'distill_head.0.bias': torch.ones(16),
        'distill_head.1.weight': torch.ones(7, 16)
    }
    path = save(tmp_path, dict(model=distilled, epoch=1))
    model = whole_model(host_name)
    with DefaultScope.overwrite_default_scope(scope):
        load_checkpoint(model, str(path), strict=True)
    found = model.state_dict()
    assert torch.equal(found[f'{head}weight'], weights['head.weight'])
    assert torch.equal(found['backbone.cls_token'], weights['cls_token'])


def test_checkpoints_of_mmengine_are_untouched() -> None:
    """mmengine's own file is returned as the same dict, unchanged."""
    model = recognizer()
    own = dict(
        meta=dict(mmengine_version='0.10.7'),
        state_dict=model.state_dict(),
        optimizer={})
    assert for_whole_model(own) is own
    named = dict(own, state_dict=prefixed('encoder.', small_backbone().
                                          state_dict()))  # yapf: disable
    assert for_whole_model(named) is named
    weights = small_backbone().state_dict()
    streams = {**prefixed('rgb.', weights), **prefixed('flow.', weights)}
    two = dict(own, state_dict=streams)
    assert for_whole_model(two) is two
    converted = dict(state_dict=model.state_dict(), meta={})
    assert for_whole_model(converted) is converted


def test_what_is_no_videomamba_is_untouched() -> None:
    mamba = {
        'layers.0.mixer.in_proj.weight': torch.ones(2, 2),
        'patch_embed.proj.weight': torch.ones(2, 3, 1, 1),
        'head.weight': torch.ones(1, 2)
    }
    for file in ([1], None, {}, dict(model={'a.weight': torch.ones(1)}), mamba,
                 dict(state_dict=prefixed('backbone.', mamba))):
        assert for_whole_model(file) is file


def test_tuple_with_a_model() -> None:
    with pytest.raises(ValueError, match='holds a tuple, not the dict of a'):
        for_whole_model((official_weights(small_backbone()), 3))


def test_prefix_put_in_front_by_the_caller(tmp_path: Path) -> None:
    """mmengine's ``revise_keys``, as used for backbones of other files."""
    source, model = small_backbone(), recognizer()
    path = save(tmp_path, source.state_dict())
    load_checkpoint(model, str(path), revise_keys=[('^', 'backbone.')])
    assert torch.equal(model.backbone.cls_token, source.cls_token)


def test_multimodal_file_keeps_its_names() -> None:
    weights = prefixed('vision_encoder.', official_weights(small_backbone()))
    weights['text_encoder.bert.a'] = torch.ones(1)
    found = for_whole_model(dict(model=prefixed('module.', weights)))
    assert found['state_dict'].keys() == weights.keys()


@pytest.mark.parametrize(
    'address', ['s3://a/in.pth', 'petrel://a/in.pth', 'cluster:s3://a/in.pth'])
def test_object_storage(address: str, monkeypatch: Any) -> None:
    weights = official_weights(small_backbone())
    monkeypatch.setattr(host, 'load_from_ceph', lambda *_: dict(net=weights))
    found = CheckpointLoader.load_checkpoint(address)
    assert torch.equal(found['state_dict']['backbone.cls_token'],
                       weights['cls_token'])
    model = backbone(address)
    assert torch.equal(model.cls_token, weights['cls_token'])


def test_head_alone(tmp_path: Path) -> None:
    """An init_cfg of the head loads the head of a published file."""
    weights = prefixed('module.model.', official_weights(small_backbone()))
    path = save(tmp_path, dict(state_dict_ema=weights))
    init_default_scope('mmaction')
    head = MODELS.build(
        dict(
            type='mmvideomamba.VideoMambaHead',
            num_classes=5,
            in_channels=16,
            init_cfg=dict(type='Pretrained', checkpoint=str(path), ema=True)))
    head.init_weights()
    assert torch.equal(head.fc_cls.weight, weights['module.model.head.weight'])


def test_model_in_a_list() -> None:
    """The hook finds the weights of a backbone under any prefix."""
    source, model = small_backbone(), nn.ModuleList([VideoMamba(
        **{k: v for k, v in SMALL.items() if k != 'type'})])  # yapf: disable
    model.load_state_dict(prefixed('0.', source.state_dict()))
    assert torch.equal(model[0].cls_token, source.cls_token)
