import pytest
import torch

from mmvideomamba.models.masking import merge_single_view


def test_the_axis_of_clips_goes() -> None:
    clips = torch.rand(2, 1, 3, 4, 5, 6)
    assert torch.equal(merge_single_view(clips), clips[:, 0])
    assert torch.equal(merge_single_view(clips[:, 0]), clips[:, 0])


def test_several_clips() -> None:
    with pytest.raises(ValueError, match='one clip per sample, but got 2'):
        merge_single_view(torch.rand(2, 2, 3, 4, 5, 6))
