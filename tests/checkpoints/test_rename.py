"""Names of published files, and ours."""
import pytest
import torch
from common import golden

from mmvideomamba.checkpoints import (published_head, select_backbone,
                                      strip_prefix)
from mmvideomamba.checkpoints.rename import has_published_head, head_tensor


def test_golden_key_prefixes() -> None:
    cases = golden('checkpoint_adaptation').config['cases']
    for key, wanted in cases['key_prefixes']['result'].items():
        assert strip_prefix(key) == wanted


@pytest.mark.parametrize('key, part', [
    ('head.weight', 'weight'), ('backbone.head.bias', 'bias'),
    ('cls_head.fc_cls.weight', 'weight'), ('head.fc.bias', 'bias'),
    ('distill_head.1.weight', ''), ('clip_decoder.0.head.weight', ''),
    ('text_encoder.head.weight', '')
])  # yapf: disable
def test_head(key: str, part: str) -> None:
    assert head_tensor(key) == part
    assert published_head([key, 'other']) == ({part: key} if part else {})


def test_published_names_of_the_head() -> None:
    assert has_published_head(['encoder.head.weight'])
    assert not has_published_head(['head.fc.weight', 'cls_head.fc_cls.bias'])


def test_backbone_of_our_video_text_model() -> None:
    """The trunk of our model lies one name deeper than in a published file."""
    one = torch.ones(1)
    state = {
        'vision_encoder.backbone.layers.0.mixer.D': one,
        'vision_encoder.backbone.norm_f.weight': one,
        'vision_encoder.neck.clip_decoder.0.norm.bias': one,
        'text_encoder.bert.x': one
    }
    kept, changes = select_backbone(state)
    assert kept.keys() == {'layers.0.mixer.D', 'norm_f.weight'}
    assert [c.action for c in changes] == [
        'renamed', 'renamed', 'dropped', 'dropped'
    ]  # yapf: disable
