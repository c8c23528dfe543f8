"""Every kind of published file becomes a checkpoint of ours."""
import re

import pytest
import torch
from common import official_files, official_weights, small_backbone

from mmvideomamba.checkpoints import convert
from mmvideomamba.models import VideoMamba

KINDS = tuple(official_files(small_backbone()))
HEADLESS = ('pretrained', 'multimodal', 'prefixed', 'encoder')


def test_no_distill_head_to_keep():
    with pytest.raises(ValueError, match='the file has no distill_head'):
        convert(official_weights(small_backbone(num_frames=1)), 'distilled')


def equal(found, wanted):
    return found.keys() == wanted.keys() and all(
        torch.equal(found[k], wanted[k]) for k in wanted)


@pytest.mark.parametrize('kind', KINDS)
def test_backbone_of_every_kind(kind):
    source = small_backbone()
    state_dict, _ = convert(official_files(source)[kind], task='backbone')
    wanted = {f'backbone.{k}': v for k, v in source.state_dict().items()}
    assert equal(state_dict, wanted)


@pytest.mark.parametrize('task,head', [('recognizer', 'cls_head.fc_cls.'),
                                       ('classifier', 'head.fc.')])
@pytest.mark.parametrize('kind', KINDS)
def test_head_of_every_kind(kind, task, head):
    file = official_files(small_backbone())[kind]
    state_dict, changes = convert(file, task)
    heads = {k for k in state_dict if not k.startswith('backbone.')}
    missing = [c.key for c in changes if c.action == 'missing']
    if kind in HEADLESS:
        assert not heads and missing == [head + '*']
    else:
        assert heads == {head + 'weight', head + 'bias'} and not missing


def test_every_tensor_has_a_row():
    file = official_files(small_backbone())['multimodal']
    _, changes = convert(file, 'recognizer')
    assert [c.key for c in changes[:-1]] == list(file['model'])
    rows = {c.key: (c.action, c.detail) for c in changes}
    assert rows['temp'] == ('dropped', 'not part of the backbone')
    assert rows['vision_encoder.norm.weight'] == ('renamed',
                                                  'to backbone.norm_f.weight')
    assert changes[-1].action == 'missing'


def bad_checkpoints():
    weights = official_weights(small_backbone())
    return [
        ({}, 'it lacks cls_token, pos_embed'),
        (dict(model=dict(epoch=3)), 'it lacks cls_token'),
        ({'cls_token': torch.ones(1), 'blocks.0.attn.qkv.weight':
          torch.ones(1)}, 'such as blocks.0.attn.qkv.weight'),
        ({k: v for k, v in weights.items() if 'mixer' not in k},
         'it lacks layers.0.mixer.A_log'),
        ({**weights, 'neck.weight': torch.ones(1)},
         '1 of its tensors are unknown, such as neck.weight'),
        ({**weights, 'backbone.cls_token': torch.ones(1)},
         'several tensors of the file have the same name'),
    ]  # yapf: disable


@pytest.mark.parametrize('checkpoint,message', bad_checkpoints())
def test_files_of_other_models(checkpoint, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        convert(checkpoint, 'recognizer')


def test_backbone_file_of_a_student_fits_a_backbone(tmp_path):
    source = small_backbone(num_frames=8)
    file = official_files(source)['pretrained']
    state_dict, _ = convert(file, 'recognizer')
    model = VideoMamba(
        arch=dict(embed_dims=16, num_layers=2),
        img_size=32,
        patch_size=8,
        num_frames=16)
    model.load_state_dict(state_dict)
    assert torch.equal(model.norm_f.weight, source.norm_f.weight)
