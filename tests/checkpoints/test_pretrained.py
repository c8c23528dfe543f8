"""init_cfg and mmengine's loaders, beyond what the three ways share."""
from pathlib import Path
from typing import Any, List

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


def backbone(path: Path, **options: Any) -> VideoMamba:
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


@pytest.mark.parametrize('scope, wanted', [
    ('mmaction', 'cls_head.fc_cls.weight'), ('mmpretrain', 'head.fc.weight')
])  # yapf: disable
def test_head_of_the_default_scope(scope: str, wanted: str) -> None:
    weights = official_weights(small_backbone(num_frames=1))
    with DefaultScope.overwrite_default_scope(scope):
        found = for_whole_model(weights)['state_dict']
    assert torch.equal(found[wanted], weights['head.weight'])
    assert torch.equal(found['backbone.cls_token'], weights['cls_token'])


def test_published_file_for_a_classifier(tmp_path: Path) -> None:
    weights = official_weights(small_backbone(num_frames=1))
    path = save(tmp_path, dict(model=weights, epoch=1))
    init_default_scope('mmpretrain')
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        model = MODELS.build(
            dict(
                type='mmpretrain.ImageClassifier',
                backbone=dict(SMALL, num_frames=1),
                head=dict(
                    type='mmpretrain.LinearClsHead',
                    num_classes=5,
                    in_channels=16)))
        load_checkpoint(model, str(path), strict=True)
    assert torch.equal(model.head.fc.weight, weights['head.weight'])


def test_checkpoints_of_mmengine_are_untouched() -> None:
    """Resuming gets the very dict, whatever the model calls its backbone."""
    model = recognizer()
    own = dict(
        meta=dict(mmengine_version='0.10.7'),
        state_dict=model.state_dict(),
        optimizer={})
    assert for_whole_model(own) is own
    named = dict(own, state_dict=prefixed('encoder.', small_backbone().
                                          state_dict()))  # yapf: disable
    assert for_whole_model(named) is named
    converted = dict(state_dict=model.state_dict(), meta={})
    assert for_whole_model(converted) is converted


def test_what_is_no_videomamba_is_untouched() -> None:
    for file in ([1], None, {}, dict(model={'a.weight': torch.ones(1)})):
        assert for_whole_model(file) is file


def test_multimodal_file_keeps_its_names() -> None:
    weights = prefixed('vision_encoder.', official_weights(small_backbone()))
    weights['text_encoder.bert.a'] = torch.ones(1)
    found = for_whole_model(dict(model=prefixed('module.', weights)))
    assert found['state_dict'].keys() == weights.keys()


def test_download(monkeypatch: Any, tmp_path: Path) -> None:
    weights = official_weights(small_backbone())
    monkeypatch.setattr(host, 'load_from_http', lambda *_: dict(net=weights))
    url = 'https://host/file.pth'
    found = CheckpointLoader.load_checkpoint(url)
    assert torch.equal(found['state_dict']['backbone.cls_token'],
                       weights['cls_token'])
    model = backbone(url)  # type: ignore
    assert torch.equal(model.cls_token, weights['cls_token'])


def test_head_alone(tmp_path: Path) -> None:
    """The head of a published file, by an init_cfg of its own."""
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
    """The hook finds its part under any name."""
    source, model = small_backbone(), nn.ModuleList([VideoMamba(
        **{k: v for k, v in SMALL.items() if k != 'type'})])  # yapf: disable
    model.load_state_dict(prefixed('0.', source.state_dict()))
    assert torch.equal(model[0].cls_token, source.cls_token)
