"""A mask of tokens together with the places of the visible ones."""
from typing import NamedTuple, Sequence, Union

import torch
from torch import Tensor


class VisibleTokens(NamedTuple):
    """A mask, and the positions of the visible tokens.

    The number of visible tokens of a mask on a GPU is known only after a look
    at the GPU, and the host waits. Here the number is part of a shape. The
    functions of this file make the objects.

    Args:
        mask (Tensor): True = dropped, bool, shape (b, n), without the class
            token.
        positions (Tensor): Of the visible tokens, rising in each row, int64,
            shape (b, v).
    """
    mask: Tensor
    positions: Tensor

    def with_class_token(self) -> Tensor:
        """Return the class token's position 0, then the others plus 1.

        Returns:
            Tensor: int64, shape (b, 1 + v).
        """
        first = torch.zeros_like(self.mask[:, :1], dtype=torch.long)
        return torch.cat([first, self.positions + 1], dim=1)


def known_count(mask: Tensor, count: int) -> VisibleTokens:
    """Find the positions of as many tokens in each row, without a look.

    Args:
        mask (Tensor): True = dropped, bool, shape (b, n).
        count (int): Tokens visible in each row. The caller answers for the
            number: the mask was made so.

    Returns:
        VisibleTokens: Mask and positions.
    """
    # A stable sort puts the visible tokens (0) first and keeps the positions
    # rising.
    order = mask.byte().argsort(dim=1, stable=True)
    return VisibleTokens(mask, order[:, :count])


def counted(mask: Tensor) -> VisibleTokens:
    """Find the positions of the visible tokens after a look at a mask.

    Args:
        mask (Tensor): True = dropped, bool, shape (b, n). On a GPU the host
            waits.

    Returns:
        VisibleTokens: Mask and positions.

    Raises:
        ValueError: If the mask drops all tokens, or another number in each
            row.
    """
    if not len(mask):
        # torch.aminmax fails on an empty batch.
        return VisibleTokens(mask, mask.long())
    counts = (~mask).sum(1)
    # Both counts come in a single transfer: each transfer makes the host wait.
    low, high = torch.stack(torch.aminmax(counts)).tolist()
    if low != high:
        raise ValueError('every sample must keep the same number of tokens, '
                         f'but the mask keeps {counts.tolist()}')
    if low == 0:
        raise ValueError('the mask drops every token')
    return known_count(mask, low)


def all_visible(mask: Tensor) -> VisibleTokens:
    """Return the positions of all tokens.

    Args:
        mask (Tensor): False everywhere, bool, shape (b, n).

    Returns:
        VisibleTokens: Mask and positions.
    """
    places = torch.arange(mask.shape[1], device=mask.device)
    return VisibleTokens(mask, places.expand(len(mask), -1))


def from_positions(rows: Sequence[Tensor], num_tokens: int) -> VisibleTokens:
    """Join the positions of the visible tokens of samples.

    Args:
        rows (Sequence[Tensor]): For each sample positions below
            ``num_tokens``, rising, int64, shape (v, ).
        num_tokens (int): Tokens n of a sample.

    Returns:
        VisibleTokens: Mask and positions, on the device of the rows.

    Raises:
        ValueError: If the samples keep different numbers.
    """
    kept = [len(row) for row in rows]
    if len(set(kept)) > 1:
        raise ValueError('every sample of a batch must keep the same number '
                         f'of tokens, but the masks keep {kept}')
    positions = torch.stack(list(rows))
    mask = torch.ones(
        len(rows), num_tokens, dtype=torch.bool, device=positions.device)
    return VisibleTokens(mask.scatter_(1, positions, False), positions)


def as_visible(mask: Union[Tensor, VisibleTokens]) -> VisibleTokens:
    """Return mask and positions, of a mask with or without positions.

    Args:
        mask (Tensor | VisibleTokens): See ``counted``.

    Returns:
        VisibleTokens: Mask and positions.

    Raises:
        ValueError: See ``counted``.
    """
    return mask if isinstance(mask, VisibleTokens) else counted(mask)
