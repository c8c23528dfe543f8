"""Distilled video recognizers inside mmaction2."""
import pytest
import torch
from common import small_backbone
from mmaction.structures import ActionDataSample
from mmengine.registry import DefaultScope

from mmvideomamba.models import VideoMamba
from mmvideomamba.registry import MODELS

MODEL = dict(
    type='mmvideomamba.DistilledRecognizer3D',
    backbone=dict(
        type='mmvideomamba.VideoMamba',
        arch=dict(embed_dims=24, num_layers=2),
        img_size=16,
        patch_size=8,
        num_frames=4,
        drop_path_rate=0.),
    cls_head=dict(
        type='mmvideomamba.VideoMambaHead',
        num_classes=3,
        in_channels=24,
        average_clips='prob'))


@pytest.fixture(autouse=True)
def scope():
    with DefaultScope.overwrite_default_scope('mmaction'):
        yield


def build(teacher: VideoMamba, **kwargs):
    head = dict(
        type='mmvideomamba.TokenDistillHead', in_channels=24, teacher=teacher)
    return MODELS.build(dict(MODEL, distill_head=head, **kwargs))


def clips(views: int = 1):
    samples = [ActionDataSample().set_gt_label(i) for i in range(2)]
    return torch.randn(2, views, 3, 4, 16, 16), samples


def test_both_losses_on_clips() -> None:
    model = build(small_backbone())
    x, samples = clips()
    losses = model.loss(x, samples)
    assert 0 < losses['loss_distill'] < 4
    plain = MODELS.build(dict(MODEL, type='Recognizer3D'))
    plain.load_state_dict(model.state_dict(), strict=False)
    assert torch.equal(losses['loss_cls'], plain.loss(x, samples)['loss_cls'])
    total, _ = model.parse_losses(losses)
    total.backward()
    # The frames are told apart through the teacher as well.
    assert model.backbone.temporal_pos_embedding.grad.abs().sum() > 0
    assert not [k for k in model.state_dict() if 'teacher' in k]


def test_all_views_of_a_video_are_taught() -> None:
    """The loss of two views is the mean of theirs."""
    model = build(small_backbone())
    x, samples = clips(views=2)
    apart = [
        model.loss(x[:, i:i + 1], samples)['loss_distill'] for i in range(2)
    ]
    samples = [s for s in samples for _ in range(2)]
    found = model.loss(x, samples)['loss_distill']
    assert torch.allclose(found, sum(apart) / 2, atol=1e-6)


def test_prediction_averages_views_as_before() -> None:
    model = build(small_backbone()).eval()
    x, samples = clips(views=2)
    with torch.no_grad():
        found = model.predict(x, samples)
    assert torch.allclose(found[0].pred_score.sum(), torch.tensor(1.))


@pytest.mark.parametrize('teacher, message', [
    (dict(num_frames=1), 'grid and num_frames'),
    (dict(num_frames=8, tubelet_size=2), 'num_frames'),
    (dict(tubelet_size=2), 'grid'),
])
def test_a_teacher_of_other_clips(teacher, message) -> None:
    with pytest.raises(ValueError, match=f'set the same {message} '):
        build(small_backbone(**teacher))


def test_no_neck() -> None:
    with pytest.raises(ValueError, match='takes no neck, but got a VideoMam'):
        build(small_backbone(), neck=MODEL['backbone'])
