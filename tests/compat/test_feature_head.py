"""The host's feature head takes the outputs of our backbones."""
import pytest
import torch
from mmaction.models import FeatureHead

from mmvideomamba.models import VideoMamba


def features(**kwargs) -> tuple:
    """Return the features of two clips of (t, h, w) = (2, 2, 2) tokens."""
    backbone = VideoMamba(
        arch=dict(embed_dims=8, num_layers=2),
        img_size=16,
        patch_size=8,
        num_frames=2,
        **kwargs).eval()
    with torch.no_grad():
        return backbone(torch.rand(2, 3, 2, 16, 16))


def test_a_class_token_passes() -> None:
    x = features()
    head = FeatureHead(average_clips='score')
    assert torch.equal(head(x), x[0])
    # Two views of a video.
    assert torch.equal(
        head.predict_by_feat(head(x), [None]), x[0].mean(0, keepdim=True))


def test_maps_are_pooled() -> None:
    x = features(out_type='featmap')
    torch.testing.assert_close(FeatureHead()(x), x[0].mean((2, 3, 4)))
    kept = FeatureHead(temporal_type=None)(x)
    torch.testing.assert_close(kept, x[0].mean((3, 4)))


@pytest.mark.parametrize('kwargs, text', [
    (dict(out_indices=(0, 1)), 'returns 2 features.*a single block'),
    (dict(out_type='raw'), "out_type to 'cls_token'"),
])
def test_what_is_no_feature_is_refused(kwargs: dict, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        FeatureHead()(features(**kwargs))


def test_features_of_other_backbones_are_the_hosts() -> None:
    x = torch.rand(2, 3, 4, 5, 6)
    assert torch.equal(FeatureHead()(x), x.mean((3, 4)).mean(2))
    pair = (x, x + 1)
    head = FeatureHead(backbone_name='slowfast')
    assert head(pair).shape == (2, 6)
