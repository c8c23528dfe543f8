"""Tokens become pixels."""
import pytest
import torch

from mmvideomamba.inference.relevance import to_frames


def test_tubelets_and_patches() -> None:
    tokens = torch.arange(12.).view(1, 2, 2, 3)
    found = to_frames(tokens, 4, 16, 24, smooth=False)
    assert found.shape == (1, 4, 16, 24)
    for t in range(4):
        patches = found[0, t].unflatten(0, (2, 8)).unflatten(2, (3, 8))
        assert torch.equal(patches.amax((1, 3)), tokens[0, t // 2])
        assert torch.equal(patches.amin((1, 3)), tokens[0, t // 2])


def test_smooth_maps_keep_the_place() -> None:
    tokens = torch.zeros(1, 1, 2, 3)
    tokens[0, 0, 1, 2] = 1
    found = to_frames(tokens, 1, 32, 48)[0, 0]
    assert found[24:, 40:].min() == 1 and not found[:8].any()
    assert 0 < found[16, 36] < 1


@pytest.mark.parametrize('shape', [(1, 16, 24), (4, 1, 24)])
def test_too_small(shape: tuple) -> None:
    with pytest.raises(ValueError, match='do not fit a clip of'):
        to_frames(torch.zeros(1, 2, 2, 3), *shape)
