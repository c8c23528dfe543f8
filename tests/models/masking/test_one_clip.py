import pytest
import torch

from mmvideomamba.models.masking import one_clip


def test_the_axis_of_clips_goes() -> None:
    clips = torch.rand(2, 1, 3, 4, 5, 6)
    assert torch.equal(one_clip(clips), clips[:, 0])
    assert torch.equal(one_clip(clips[:, 0]), clips[:, 0])


def test_several_clips() -> None:
    with pytest.raises(ValueError, match='one clip per sample, but got 2'):
        one_clip(torch.rand(2, 2, 3, 4, 5, 6))
