"""The fixed sine-cosine code of positions."""
import torch
from torch import Tensor


def sincos_embed(count: int, dims: int) -> Tensor:
    """Return the fixed sine-cosine code of positions 0, 1, ...

    Entry (p, j) is the sine, for odd j the cosine, of
    ``p / 10000 ** (2 * floor(j / 2) / dims)``.

    Args:
        count (int): Number of positions.
        dims (int): Channels c.

    Returns:
        Tensor: Shape (count, c), float32; computed in float64.

    Source: Vaswani et al., arXiv:1706.03762, Section 3.5.
    """
    channel = torch.arange(dims, dtype=torch.float64)
    rate = 10000.**(-2 * (channel // 2) / dims)
    angle = torch.arange(count, dtype=torch.float64)[:, None] * rate
    odd = channel.long() % 2 == 1
    return torch.where(odd, angle.cos(), angle.sin()).float()
