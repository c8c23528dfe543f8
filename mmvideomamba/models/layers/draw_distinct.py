"""Weighted draws without replacement and without a wait of the host."""
import torch
from torch import Tensor


def draw_distinct(weights: Tensor, count: int) -> Tensor:
    """Draw places without replacement, likelier with more weight.

    Draws and use of the generator are equal to ``torch.multinomial``, bit by
    bit. ``torch.multinomial`` reads the weights on the host first, and so
    waits for a GPU.

    Args:
        weights (Tensor): Floats, finite and not negative; shape (b, n), with
            ``count`` weights above 0 in each row.
        count (int): Draws of a row.

    Returns:
        Tensor: In the order of the draws, int64, shape (b, count). On a GPU
        weights are not checked, and not-allowed weights give arbitrary
        places.

    Raises:
        ValueError: If weights on the CPU are not allowed.
    """
    if weights.device.type == 'cpu':
        finite = bool(weights.isfinite().all()) and not (weights < 0).any()
        if not finite or (weights > 0).sum(1).lt(count).any():
            raise ValueError(
                f'cannot draw {count} of {weights.shape[1]} places: the '
                'weights must be finite and not negative, and enough of them '
                'above 0')
    # The exponential race, as torch.multinomial runs it: equal numbers from
    # the generator give equal draws.
    scaled = weights / torch.empty_like(weights).exponential_(1)
    if count == 1:
        return scaled.argmax(1, keepdim=True)
    return scaled.topk(count, dim=1).indices
