import pytest
import torch
from common import assert_close

from mmvideomamba.models.layers import sincos_embed
from mmvideomamba.models.selfsup import UMTDecoder

MASK = torch.tensor([[True, False, True, False], [False, True, True, False]])
# Positions of the visible tokens; the class token's position is 0.
PLACES = [[0, 2, 4], [0, 1, 4]]


def naive(decoder: UMTDecoder, x: torch.Tensor, places: list,
          level: int) -> torch.Tensor:
    """Decode token by token."""
    table = sincos_embed(5, x.shape[-1])
    part = decoder.clip_decoder[level]
    rows = []
    for tokens, numbers in zip(x, places):
        rows.append(
            torch.stack([
                part.norm(part.head(token + table[number]))
                for token, number in zip(tokens, numbers)
            ]))
    return torch.stack(rows)


@pytest.mark.parametrize('norm', ['l2', 'none'])
def test_visible_tokens_keep_their_places(norm: str) -> None:
    decoder = UMTDecoder(6, 4, num_levels=2, norm=norm)
    levels = torch.randn(2, 2, 3, 6)
    found = decoder(levels, MASK)
    for level in range(2):
        wanted = naive(decoder, levels[level], PLACES, level)
        if norm == 'l2':
            wanted = wanted / wanted.square().sum(-1, keepdim=True).sqrt()
        assert_close(found[level], wanted)


def test_all_tokens_without_a_mask() -> None:
    decoder = UMTDecoder(6, 4)
    x = torch.randn(2, 5, 6)
    none = torch.zeros(2, 4, dtype=torch.bool)
    assert torch.equal(decoder([x]), decoder([x], none))
    # The table of positions grew to the longest clip, and stays.
    assert decoder.places.shape == (5, 6)
    assert decoder([x[:, :3]]).shape == (1, 2, 3, 4)
    assert 'places' not in decoder.state_dict()


@pytest.mark.parametrize('levels, mask, match', [
    (torch.zeros(1, 2, 5, 6), MASK, 'keeps 3 tokens.*returns 5'),
    (torch.zeros(2, 2, 3, 6), MASK, 'returns 2 levels, but .*num_levels=1'),
])
def test_tokens_that_do_not_fit(levels: torch.Tensor, mask: torch.Tensor,
                                match: str) -> None:
    with pytest.raises(ValueError, match=match):
        UMTDecoder(6, 4)(levels, mask)


def test_unknown_norm() -> None:
    with pytest.raises(ValueError, match="norm of UMTDecoder .*'l1'"):
        UMTDecoder(6, 4, norm='l1')
