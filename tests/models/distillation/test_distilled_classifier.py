"""Distilled image classifiers inside mmpretrain."""
import mmpretrain.models  # noqa: F401
import pytest
import torch
from common import official_weights, small_backbone
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DefaultScope
from mmengine.runner import load_checkpoint
from mmpretrain.structures import DataSample

from mmvideomamba.registry import MODELS

BACKBONE = dict(
    type='mmvideomamba.VideoMamba',
    arch=dict(embed_dims=24, num_layers=2),
    img_size=16,
    patch_size=8,
    num_frames=1,
    drop_path_rate=0.)
PLAIN = dict(
    type='ImageClassifier',
    backbone=BACKBONE,
    head=dict(type='LinearClsHead', num_classes=3, in_channels=24))


@pytest.fixture(autouse=True)
def scope():
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        yield


def build(**head):
    """Build a student of width 24 with a teacher of width 16."""
    cfg = dict(
        type='mmvideomamba.TokenDistillHead',
        in_channels=24,
        teacher=small_backbone(num_frames=1))
    return MODELS.build(
        dict(
            PLAIN,
            type='mmvideomamba.DistilledClassifier',
            distill_head=dict(cfg, **head)))


def batch(count: int = 4):
    samples = [DataSample().set_gt_label(i % 3) for i in range(count)]
    return torch.randn(count, 3, 16, 16), samples


def test_both_losses_are_added() -> None:
    model = build()
    x, samples = batch()
    losses = model.loss(x, samples)
    assert set(losses) == {'loss', 'loss_distill'}
    plain = MODELS.build(PLAIN)
    plain.load_state_dict(model.state_dict(), strict=False)
    assert torch.equal(losses['loss'], plain.loss(x, samples)['loss'])
    total, _ = model.parse_losses(losses)
    assert torch.allclose(total, losses['loss'] + losses['loss_distill'])
    total.backward()
    assert all(p.grad is not None for p in model.parameters())


def test_a_neck_sees_the_class_token() -> None:
    cfg = dict(
        PLAIN,
        neck=dict(
            type='LinearNeck',
            in_channels=24,
            out_channels=8,
            norm_cfg=None,
            act_cfg=None))
    cfg['head'] = dict(type='LinearClsHead', num_classes=3, in_channels=8)
    model = MODELS.build(
        dict(
            cfg,
            type='mmvideomamba.DistilledClassifier',
            distill_head=build().distill_head))
    assert set(model.loss(*batch())) == {'loss', 'loss_distill'}


def test_one_step_learns_from_the_teacher_and_leaves_it() -> None:
    model = build()
    teacher = model.distill_head.teacher.backbone
    before = {k: v.clone() for k, v in teacher.state_dict().items()}
    wrapper = build_optim_wrapper(
        model, dict(optimizer=dict(type='AdamW', lr=3e-3, weight_decay=0.5)))
    x, samples = batch()
    losses = []
    model.train()
    for _ in range(20):
        found = model.loss(x, samples)
        losses.append(found['loss_distill'].item())
        wrapper.update_params(found['loss_distill'])
    assert losses[-1] < 0.7 * losses[0]
    assert not teacher.training
    for name, value in teacher.state_dict().items():
        assert torch.equal(value, before[name])


def test_prediction_needs_no_teacher() -> None:
    """A model for inference is built from the config alone."""
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        model = build(
            teacher=dict(BACKBONE), checkpoint='not/there.pth').eval()
    plain = MODELS.build(PLAIN).eval()
    plain.load_state_dict(model.state_dict(), strict=False)
    x, _ = batch()
    found, wanted = model.predict(x), plain.predict(x)
    assert torch.equal(found[0].pred_score, wanted[0].pred_score)
    with pytest.raises(ValueError, match='not/there.pth, does not exist'):
        model.loss(*batch())


def test_checkpoint_for_plain_classification(tmp_path, mm_log) -> None:
    """The extra keys are dropped, and the log says so."""
    model, path = build(), str(tmp_path / 'distilled.pth')
    torch.save(dict(state_dict=model.state_dict()), path)
    assert not [k for k in model.state_dict() if 'teacher' in k]
    plain = MODELS.build(PLAIN)
    load_checkpoint(plain, path, logger='current')
    text = '\n'.join(mm_log)
    for name in ('0.weight', '1.weight', '1.bias'):
        assert f'distill_head.{name}' in text
    for name, value in plain.state_dict().items():
        assert torch.equal(value, model.state_dict()[name])


def test_published_file_for_plain_classification(tmp_path, mm_log) -> None:
    source = small_backbone(num_frames=1)
    weights = official_weights(source)
    weights['distill_head.0.weight'] = torch.ones(16)
    weights['distill_head.1.weight'] = torch.ones(8, 16)
    weights['distill_head.1.bias'] = torch.ones(8)
    path = str(tmp_path / 'published.pth')
    torch.save(dict(model=weights), path)
    backbone = dict(
        BACKBONE,
        arch=dict(embed_dims=16, num_layers=2),
        init_cfg=dict(type='Pretrained', checkpoint=path))
    plain = MODELS.build(dict(PLAIN, backbone=backbone))
    plain.init_weights()
    assert torch.equal(plain.backbone.cls_token, source.cls_token)
    dropped = [line for line in mm_log if line.startswith('dropped')]
    assert sum('distill_head' in line for line in dropped) == 3


def test_every_pair_of_sizes() -> None:
    """Wider or narrower, deeper or flatter than the teacher."""
    for dims, layers in ((8, 1), (16, 2), (40, 3)):
        backbone = dict(
            BACKBONE, arch=dict(embed_dims=dims, num_layers=layers))
        model = MODELS.build(
            dict(
                type='mmvideomamba.DistilledClassifier',
                backbone=backbone,
                head=dict(
                    type='LinearClsHead', num_classes=3, in_channels=dims),
                distill_head=dict(
                    type='mmvideomamba.TokenDistillHead',
                    in_channels=dims,
                    teacher=small_backbone(num_frames=1))))
        assert 0 < model.loss(*batch())['loss_distill'] < 4


def test_a_teacher_that_does_not_fit_is_found_when_built() -> None:
    with pytest.raises(ValueError) as error:
        build(teacher=small_backbone(num_frames=1, patch_size=4))
    assert 'teacher VideoMamba (width 16' in str(error.value)
    assert 'student VideoMamba (width 24' in str(error.value)
    with pytest.raises(ValueError, match='distill_head.in_channels is 99'):
        build(in_channels=99)
