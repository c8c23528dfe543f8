"""Tests of the description of models."""
import json

import pytest
from common import small_backbone
from mmengine.config import Config
from mmengine.registry import DefaultScope
from tiny_recipes import FRAMES, SIZE, recipe, tiny_recognizer
from torch import nn

from mmvideomamba.inference.saved import TASKS, describe, find_backbone
from mmvideomamba.registry import MODELS


def test_a_recognizer() -> None:
    """The description holds the needs of a consumer, as JSON."""
    meta = dict(epoch=25, iter=100, dataset_meta=dict(classes=('a', 'b', 'c')))
    found = describe(tiny_recognizer(), None, meta)
    assert json.loads(json.dumps(found)) == found
    assert found['task'] in TASKS
    assert found['classes'] == ['a', 'b', 'c']
    assert found['licence'] == 'unknown'
    assert found['results'] == dict(source='run', epoch=25, iter=100)
    assert found['input'] == dict(
        frames=FRAMES,
        height=SIZE,
        width=SIZE,
        channels='RGB',
        mean=[pytest.approx(x) for x in (123.675, 116.28, 103.53)],
        std=[pytest.approx(x) for x in (58.395, 57.12, 57.375)])
    assert (found['average'], found['probability']) == ('prob', 'softmax')


def test_a_number(tmp_path) -> None:
    """A model of numbers has no classes and no probabilities."""
    cfg = recipe('number', tmp_path, tmp_path / 'clip.mp4')
    with DefaultScope.overwrite_default_scope('mmaction'):
        model = MODELS.build(cfg.model)
    found = describe(model, cfg, dict(dataset_meta=dict(classes=['a', 'b'])))
    assert found['task'] == 'video-regression'
    assert found['classes'] is None and found['probability'] is None
    assert found['average'] == 'score'


@pytest.mark.parametrize('to_rgb, channels', [(True, 'RGB'), (False, 'BGR')])
def test_images(to_rgb: bool, channels: str) -> None:
    """Images are loaded in BGR: the preprocessor decides for the model."""
    backbone = dict(
        type='mmvideomamba.VideoMamba',
        arch=dict(embed_dims=16, num_layers=1),
        num_frames=1,
        img_size=(16, 32))
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        model = MODELS.build(
            dict(
                type='mmpretrain.ImageClassifier',
                backbone=backbone,
                head=dict(type='LinearClsHead', num_classes=2, in_channels=16),
                data_preprocessor=dict(
                    mean=[1., 2., 3.], std=[4., 5., 6.], to_rgb=to_rgb)))
    cfg = Config(
        dict(
            test_dataloader=dict(
                dataset=dict(
                    pipeline=[dict(type='PackInputs')],
                    metainfo=dict(classes=['a', 'b'])))))
    found = describe(model, cfg, {})
    assert found['task'] == 'image-classification'
    assert found['classes'] == ['a', 'b'] and found['average'] is None
    assert found['results'] == dict(source='unknown')
    assert found['input'] == dict(
        frames=1,
        height=16,
        width=32,
        channels=channels,
        mean=[1., 2., 3.],
        std=[4., 5., 6.])


def test_a_backbone() -> None:
    """A backbone takes normalised values."""
    model = small_backbone()
    found = describe(model)
    assert found['task'] == 'feature-extraction'
    assert found['input']['mean'] == [0.] * 3
    assert found['input']['std'] == [1.] * 3
    assert find_backbone(model) is model


def test_what_is_given_counts() -> None:
    """Licence and results come from whoever saves the model."""
    results = dict(source='published', accuracy=dict(top1=76.9))
    found = describe(small_backbone(), None,
                     dict(licence='apache-2.0', results=results, epoch=3))
    assert found['licence'] == 'apache-2.0'
    assert found['results'] == results


def test_other_models() -> None:
    """A model without a VideoMamba, or for training alone, is refused."""

    class Pretraining(nn.Module):
        """A backbone, and nothing to classify with."""

        def __init__(self) -> None:
            super().__init__()
            self.backbone = small_backbone()

    with pytest.raises(ValueError, match='save its backbone instead'):
        describe(Pretraining())
    other = tiny_recognizer()
    other.backbone = nn.Identity()
    with pytest.raises(ValueError, match='has no VideoMamba as its backbone'):
        describe(other)
