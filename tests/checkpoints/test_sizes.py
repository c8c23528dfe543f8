"""Tests of arguments by the shapes of weights."""
import pytest
from common import official_weights, small_backbone

from mmvideomamba import VideoMamba
from mmvideomamba.checkpoints import backbone_sizes


@pytest.mark.parametrize('given', [
    dict(),
    dict(num_frames=1, in_channels=1),
    dict(num_frames=2, tubelet_size=2),
    dict(norm_cfg=dict(type='LN', eps=1e-5)),
    dict(
        mixer_cfg=dict(
            d_state=4, d_conv=2, expand=1, dt_rank=3, bidirectional=False)),
    dict(mixer_cfg=dict(conv_bias=False, bias=True)),
])
def test_arguments_come_back(given: dict) -> None:
    """The backbone of the found arguments has the very shapes."""
    weights = small_backbone(**given).state_dict()
    found = VideoMamba(**backbone_sizes(weights)).state_dict()
    assert {
        k: v.shape
        for k, v in found.items()
    } == {
        k: v.shape
        for k, v in weights.items()
    }


def test_other_files() -> None:
    """A lack is named; frames without squares are asked for."""
    weights = official_weights(small_backbone(num_frames=1, img_size=(8, 16)))
    with pytest.raises(ValueError, match='has 2 places, which form no'):
        backbone_sizes(weights)
    assert backbone_sizes(weights, (8, 16))['img_size'] == (8, 16)
    del weights['cls_token']
    with pytest.raises(ValueError, match='not of a VideoMamba.*cls_tok'):
        backbone_sizes(weights)
