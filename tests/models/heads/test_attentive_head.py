import pytest
import torch
from mmaction.structures import ActionDataSample
from mmengine.registry import MODELS, DefaultScope
from mmpretrain.structures import DataSample

from mmvideomamba.models import AttentiveHead


def backbone(out_type, **kwargs):
    return dict(
        type='mmvideomamba.VideoMamba',
        arch=dict(embed_dims=16, num_layers=2),
        img_size=16,
        patch_size=8,
        num_frames=2,
        frozen_stages=2,
        out_type=out_type,
        **kwargs)


def recognizer(out_type):
    with DefaultScope.overwrite_default_scope('mmaction'):
        return MODELS.build(
            dict(
                type='Recognizer3D',
                backbone=backbone(out_type),
                cls_head=dict(
                    type='mmvideomamba.AttentiveHead',
                    num_classes=3,
                    in_channels=16,
                    average_clips='prob'))).train()


def losses(model, label=2):
    samples = [ActionDataSample().set_gt_label(label) for _ in range(2)]
    return model(torch.randn(2, 1, 3, 2, 16, 16), samples, mode='loss')


@pytest.mark.parametrize('out_type', ['raw', 'featmap'])
def test_only_the_probe_learns(out_type):
    model = recognizer(out_type)
    losses(model)['loss_cls'].backward()
    for name, parameter in model.named_parameters():
        assert (parameter.grad is not None) == name.startswith('cls_head.')
    model.eval()
    found = model(
        torch.randn(1, 3, 3, 2, 16, 16), [ActionDataSample()], mode='predict')
    assert found[0].pred_score.sum().item() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize('out_type', ['cls_token', 'avg_featmap'])
def test_model_without_patch_tokens(out_type):
    with pytest.raises(ValueError, match="set out_type='raw' in the backbone"):
        losses(recognizer(out_type))


def test_label_out_of_range():
    with pytest.raises(ValueError, match='out of range for num_classes=3'):
        losses(recognizer('raw'), label=3)


def test_bad_heads():
    with pytest.raises(ValueError, match='num_heads must divide'):
        AttentiveHead(num_classes=3, in_channels=16, num_heads=5)


def test_neck_of_an_image_classifier():
    """The same probe in mmpretrain."""
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        model = MODELS.build(
            dict(
                type='ImageClassifier',
                backbone=dict(backbone('raw'), num_frames=1),
                neck=dict(type='mmvideomamba.AttentivePool', in_channels=16),
                head=dict(type='LinearClsHead', num_classes=3,
                          in_channels=16)))
    samples = [DataSample().set_gt_label(1) for _ in range(2)]
    model.train()(
        torch.randn(2, 3, 16, 16), samples, mode='loss')['loss'].backward()
    assert model.neck.query.grad is not None
    assert all(p.grad is None for p in model.backbone.parameters())
