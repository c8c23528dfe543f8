import pytest
import torch

from mmvideomamba.models.layers import VisibleTokens, as_visible
from mmvideomamba.models.layers.visible_positions import (all_visible, counted,
                                                          from_positions,
                                                          known_count)


def masks(visible: int, place: torch.device) -> torch.Tensor:
    """Return masks (5, 300) that keep as many tokens each."""
    mask = torch.rand(5, 300).argsort(1) >= visible
    return mask.to(place)


@pytest.mark.parametrize('visible', [1, 77, 300])
def test_positions_are_those_of_nonzero(visible: int,
                                        place: torch.device) -> None:
    mask = masks(visible, place)
    wanted = (~mask).nonzero()[:, 1].view(5, visible)
    for found in (known_count(mask, visible), counted(mask), as_visible(mask),
                  from_positions(list(wanted), 300)):
        assert torch.equal(found.positions, wanted)
        assert torch.equal(found.mask, mask)
    kept = VisibleTokens(mask, wanted)
    assert as_visible(kept) is kept
    index = kept.with_class_token()
    assert not index[:, 0].any()
    assert torch.equal(index[:, 1:], wanted + 1)


def test_every_token() -> None:
    mask = torch.zeros(2, 3, dtype=torch.bool)
    assert all_visible(mask).positions.tolist() == [[0, 1, 2]] * 2


def test_no_sample() -> None:
    assert counted(torch.zeros(0, 4, dtype=torch.bool)).positions.shape[0] == 0


@pytest.mark.parametrize('rows, text', [
    ([[0, 1], [1, 1]], r'number of tokens, but the mask keeps \[1, 0\]'),
    ([[1, 1], [1, 1]], 'the mask drops every token'),
])
def test_wrong_numbers(rows: list, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        counted(torch.tensor(rows).bool())


def test_rows_of_different_length() -> None:
    rows = [torch.arange(2), torch.arange(3)]
    with pytest.raises(ValueError, match=r'keep \[2, 3\]'):
        from_positions(rows, 4)
