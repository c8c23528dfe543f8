"""Self-distillation: parity, the frozen teacher, and refused teachers."""
import argparse
import copy
import re

import mmpretrain.models  # noqa: F401
import pytest
import torch
from common import (SPOILED, assert_close, golden, official_files,
                    official_weights, small_backbone)
from mmengine.registry import DefaultScope

from mmvideomamba.models import TokenDistillHead, VideoMamba
from mmvideomamba.models.distillation.frozen_teacher import all_tokens
from mmvideomamba.models.distillation.token_distill_head import unit
from mmvideomamba.registry import MODELS

FLOOR = 1e-6
SMALL = dict(
    type='mmvideomamba.VideoMamba',
    arch=dict(embed_dims=16, num_layers=2),
    img_size=16,
    patch_size=8,
    num_frames=1)


def golden_backbone(role: str, data) -> VideoMamba:
    sizes = data.config[role]
    model = VideoMamba(
        arch=dict(embed_dims=sizes['embed_dim'], num_layers=sizes['depth']),
        img_size=sizes['img_size'],
        patch_size=sizes['patch_size'],
        num_frames=1).eval()
    model.load_state_dict(data.under(f'{role}_sd/'))
    return model


@pytest.fixture
def published():
    """Return the golden file, and the student and head built from the file."""
    data = golden('distill_student')
    student = golden_backbone('student', data)
    head = TokenDistillHead(48, golden_backbone('teacher', data))
    head.load_state_dict(data.under('student_sd/'))
    return data, student, head


def image_head(**kwargs) -> TokenDistillHead:
    return TokenDistillHead(**{
        'in_channels': 16,
        'teacher': small_backbone(num_frames=1),
        **kwargs
    })


def test_golden_values(published) -> None:
    data, student, head = published
    x = data['in/x']
    with torch.no_grad():
        tokens = all_tokens(student, x)
        logits = torch.nn.functional.linear(tokens[:, 0],
                                            data['student_sd/head.weight'],
                                            data['student_sd/head.bias'])
        found = dict(
            student_logits=logits,
            student_feats=head(tokens),
            teacher_feats=unit(head.teacher(x)),
            distill_loss=head.loss(tokens, x))
    for name, value in found.items():
        assert_close(value, data[f'out/{name}'], floor=FLOOR, name=name)


def test_golden_gradients(published) -> None:
    data, student, head = published
    x = data['in/x'].requires_grad_()
    linear = torch.nn.Linear(48, 10)
    linear.load_state_dict(
        {k: data[f'student_sd/head.{k}']
         for k in ('weight', 'bias')})
    tokens = all_tokens(student, x)
    objective = (linear(tokens[:, 0]) * data['cot/logits']).sum() + (
        head(tokens) * data['cot/feats']).sum()
    objective.backward()
    parameters = {
        **dict(student.named_parameters()),
        **{
            f'head.{k}': v
            for k, v in linear.named_parameters()
        },
        **{
            f'distill_head.{k}': v
            for k, v in head.named_parameters()
        }, 'x': x
    }
    wanted = data.under('grad/')
    assert len(wanted) == 22
    for name, value in wanted.items():
        found = parameters[name].grad
        assert_close(
            found.view(value.shape), value, 'gradient', floor=FLOOR, name=name)


def test_the_loss_trains_the_student_alone(published) -> None:
    data, student, head = published
    x = data['in/x']
    head.loss(all_tokens(student, x), x).backward()
    assert all(p.grad is None for p in head.teacher.backbone.parameters())
    assert all(p.grad is not None for p in head.parameters())
    assert student.cls_token.grad.abs().sum() > 0


def test_loss_weight() -> None:
    student, x = small_backbone(num_frames=1), torch.randn(2, 3, 16, 16)
    head = image_head()
    once = head.loss(all_tokens(student, x), x)
    head.loss_weight = 3.
    assert torch.equal(head.loss(all_tokens(student, x), x), 3 * once)


def test_unused_teacher_and_bad_weight(mm_log: list) -> None:
    image_head().init_weights()
    assert not [line for line in mm_log if 'used by no loss' in line]
    image_head(loss_weight=0).init_weights()
    assert [line for line in mm_log if 'used by no loss' in line]
    with pytest.raises(ValueError, match='loss_weight of TokenDistillHead'):
        image_head(loss_weight=float('nan'))


def test_teacher_is_frozen_and_out_of_sight() -> None:
    head = image_head()
    assert set(head.state_dict()) == {'0.weight', '1.weight', '1.bias'}
    assert {n for n, _ in head.named_parameters()} == set(head.state_dict())
    head.train()
    assert not head.teacher.backbone.training
    # The teacher follows to another dtype, as to another device.
    head.double()
    assert head.teacher.backbone.cls_token.dtype == torch.float64
    other = copy.deepcopy(head)
    assert other.teacher.backbone is not head.teacher.backbone
    assert torch.equal(other.teacher.backbone.cls_token,
                       head.teacher.backbone.cls_token)


def test_all_tokens_leaves_the_out_type() -> None:
    model, x = small_backbone(num_frames=1).eval(), torch.randn(2, 3, 16, 16)
    tokens = all_tokens(model, x)
    assert tokens.shape == (2, 5, 16) and model.out_type == 'cls_token'
    assert torch.equal(model(x)[0], tokens[:, 0])
    with pytest.raises(ValueError, match='the input must have shape'):
        all_tokens(model, x[..., :8])
    assert model.out_type == 'cls_token'


@pytest.mark.parametrize('kind', ['flat', 'trained', 'distilled', 'ours'])
def test_teacher_from_a_file(tmp_path, kind) -> None:
    source = small_backbone(num_frames=1)
    files = official_files(source)
    files['ours'] = dict(
        state_dict={
            **{
                f'backbone.{k}': v
                for k, v in source.state_dict().items()
            }, 'head.fc.weight': torch.ones(3, 16)
        },
        meta={})
    torch.save(files[kind], tmp_path / 'teacher.pth')
    head = image_head(
        teacher=SMALL.copy(), checkpoint=str(tmp_path / 'teacher.pth'))
    x = torch.randn(2, 3, 16, 16)
    if kind == 'ours':  # without a runner, at the first use
        found = head.teacher(x)
    else:
        head.init_weights()
        found = all_tokens(head.teacher.backbone, x)
    assert torch.equal(found, all_tokens(source.eval(), x))


def test_teacher_may_be_a_classifier_of_the_host(tmp_path) -> None:
    """A vision transformer of another grid and width can be the teacher."""
    teacher = dict(
        type='ImageClassifier',
        backbone=dict(
            type='VisionTransformer',
            arch=dict(
                embed_dims=32,
                num_layers=1,
                num_heads=2,
                feedforward_channels=32),
            img_size=16,
            patch_size=8),
        head=dict(type='LinearClsHead', num_classes=3, in_channels=32))
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        source = MODELS.build(teacher)
        torch.save(
            dict(state_dict=source.state_dict()), tmp_path / 'teacher.pth')
        head = image_head(
            teacher=teacher, checkpoint=str(tmp_path / 'teacher.pth'))
    student, x = small_backbone(num_frames=1), torch.randn(2, 3, 16, 16)
    head.check_student(student)
    head.init_weights()
    assert head(all_tokens(student, x)).shape == (2, 5, 32)
    loss = head.loss(all_tokens(student, x), x)
    assert 0 < loss < 4
    assert torch.equal(head.teacher.backbone.cls_token,
                       source.backbone.cls_token)
    with pytest.raises(ValueError, match='(?s)VisionTransformer.*grid') as e:
        head.check_student(small_backbone(num_frames=1, patch_size=4))
    assert 'VideoMamba' in str(e.value)


def test_head_of_a_published_file(tmp_path) -> None:
    student = small_backbone(num_frames=1)
    weights = {
        'distill_head.0.weight': torch.randn(16),
        'distill_head.1.weight': torch.randn(16, 16),
        'distill_head.1.bias': torch.randn(16)
    }
    torch.save(
        dict(model={
            **official_weights(student),
            **weights
        }), tmp_path / 'file.pth')
    head = image_head(
        init_cfg=dict(
            type='Pretrained', checkpoint=str(tmp_path / 'file.pth')))
    head.init_weights()
    for name, value in weights.items():
        assert torch.equal(head.state_dict()[name[13:]], value)


@pytest.mark.parametrize('change, message', [
    (dict(patch_size=4), 'grid'),
    (dict(img_size=32), 'grid and img_size'),
    (dict(img_size=32, patch_size=16), 'img_size'),
    (dict(num_frames=4), 'grid and num_frames'),
])
def test_teacher_of_other_tokens(change, message) -> None:
    head = image_head()
    student = small_backbone(**{'num_frames': 1, **change})
    with pytest.raises(ValueError) as error:
        head.check_student(student)
    text = str(error.value)
    assert f'set the same {message} (' in text
    # Student and teacher are named, with their sizes.
    assert text.count('VideoMamba (width 16, img_size') == 2
    assert '(1, 2, 2)' in text


def test_head_of_another_width() -> None:
    with pytest.raises(
            ValueError, match=r'in_channels is 8, .* VideoMamba \(width 16'):
        image_head(in_channels=8).check_student(small_backbone(num_frames=1))


def test_checkpoint_of_another_teacher(tmp_path) -> None:
    """The distill_head of another width is refused, with both widths."""
    head = image_head()
    wide = small_backbone(num_frames=1, arch=dict(embed_dims=24, num_layers=2))
    other = image_head(teacher=wide)
    with pytest.raises(ValueError) as error:
        head.load_state_dict(other.state_dict())
    assert 'width 16 to a teacher of width 24' in str(error.value)
    assert 'to the teacher VideoMamba (width 16' in str(error.value)
    with pytest.raises(ValueError, match='no distill_head'):
        head.load_state_dict(official_weights(wide))


@pytest.mark.parametrize(
    'file', ['depth', 'width', 'missing', 'foreign', 'training', *SPOILED])
def test_bad_teacher_checkpoints(tmp_path, file) -> None:
    path = tmp_path / 'teacher.pth'
    arch = dict(embed_dims=16, num_layers=2)
    if file == 'depth':
        arch['num_layers'] = 3
    if file == 'width':
        arch['embed_dims'] = 24
    weights = official_weights(small_backbone(num_frames=1, arch=arch))
    if file == 'foreign':
        weights = dict(conv=torch.ones(1))
    if file == 'training':  # published files hold the command line
        weights['args'] = argparse.Namespace(lr=1)
    if file != 'missing':
        torch.save(dict(model=weights), path)
    if file in SPOILED:
        path.write_bytes(SPOILED[file](path.read_bytes()))
    head = image_head(teacher=SMALL.copy(), checkpoint=str(path))
    with pytest.raises(ValueError) as error:
        head.init_weights()
    text = str(error.value)
    assert str(path) in text
    wording = dict(
        training='more than weights: argparse.Namespace',
        cut='is cut off',
        empty='is empty',
        page='is a web page')
    if file in wording:
        assert f'the checkpoint of the teacher: {path} ' in text
        assert wording[file] in text
    elif file == 'missing':
        assert 'does not exist' in text and 'distill_head.checkpoint' in text
    else:
        assert re.search(r'does not fit the teacher VideoMamba \(width 16',
                         text)


def test_teacher_without_weights_or_tokens() -> None:
    with pytest.raises(ValueError, match='the teacher has no weights'):
        image_head(teacher=SMALL.copy())
    with pytest.raises(ValueError, match='teacher Linear cannot return'):
        image_head(teacher=torch.nn.Linear(1, 1))
    with pytest.raises(ValueError, match='student Linear cannot return'):
        image_head().check_student(torch.nn.Linear(1, 1))
    with pytest.raises(ValueError, match="out_type 'raw'"):
        image_head().check_student(
            small_backbone(num_frames=1, out_type='raw'))


def test_tokens_that_differ_only_when_they_are_there() -> None:
    """Token shapes are compared at the loss, for a backbone without a grid."""
    student, x = small_backbone(num_frames=1), torch.randn(2, 3, 16, 16)
    with pytest.raises(ValueError, match=r'shape \(2, 5, 16\).*\(2, 4, 16\)'):
        image_head().loss(all_tokens(student, x)[:, 1:], x)
