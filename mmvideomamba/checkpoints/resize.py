"""Resizing stored position tables, and inflating patch kernels."""
from typing import Optional, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor

# How a 2-D patch kernel gets its time axis.
INFLATIONS = ('center', 'average')


def resize_spatial_embed(
        embed: Tensor,
        grid: Tuple[int, int],
        source_grid: Optional[Tuple[int, int]] = None) -> Tensor:
    """Resize a spatial position embedding, class entry first.

    Bicubic, without aligned corners or antialiasing; the class entry stays.

    Args:
        embed (Tensor): Shape (1, 1 + h * w, c).
        grid (tuple[int, int]): Rows and columns wanted.
        source_grid (tuple[int, int], optional): Rows and columns stored.
            Defaults to None, a square.

    Returns:
        Tensor: Shape (1, 1 + rows * columns, c).

    Raises:
        ValueError: If the stored entries do not form the source grid.
    """
    count = embed.shape[1] - 1
    if source_grid is None:
        side = int(count**0.5)
        source_grid = (side, side)
    if source_grid[0] * source_grid[1] != count:
        raise ValueError(
            f'the position embedding stores {count} places, which do not form '
            f'a grid of {source_grid[0]} x {source_grid[1]}')
    if tuple(source_grid) == tuple(grid):
        return embed
    head, body = embed[:, :1], embed[:, 1:]
    # (1, h * w, c) to (1, c, h, w)
    body = body.transpose(1, 2).unflatten(2, source_grid)
    body = F.interpolate(
        body.float(), size=grid, mode='bicubic', align_corners=False)
    body = body.to(embed.dtype).flatten(2).transpose(1, 2)
    return torch.cat([head, body], dim=1)


def resize_temporal_embed(embed: Tensor, num_tubelets: int) -> Tensor:
    """Resize a temporal position embedding linearly in time.

    Args:
        embed (Tensor): Shape (1, t, c).
        num_tubelets (int): Length wanted.

    Returns:
        Tensor: Shape (1, num_tubelets, c).
    """
    if embed.shape[1] == num_tubelets:
        return embed
    resized = F.interpolate(
        embed.float().transpose(1, 2),
        size=num_tubelets,
        mode='linear',
        align_corners=False)
    return resized.transpose(1, 2).to(embed.dtype)


def inflate_patch_kernel(weight: Tensor,
                         tubelet_size: int,
                         mode: str = 'center') -> Tensor:
    """Give a 2-D patch kernel a time axis.

    Args:
        weight (Tensor): Shape (c, in_channels, p, p).
        tubelet_size (int): Length k of the time axis.
        mode (str): 'center' puts the kernel at ``k // 2`` and zeros
            elsewhere; 'average' repeats it k times, divided by k. Defaults
            to 'center'.

    Returns:
        Tensor: Shape (c, in_channels, k, p, p).

    Raises:
        ValueError: If the mode is unknown.
    """
    if mode not in INFLATIONS:
        raise ValueError(f'inflation must be one of {list(INFLATIONS)}, but '
                         f'got {mode!r}')
    if mode == 'average':
        # Divided, so that equal frames give the response to the image.
        return weight.unsqueeze(2).repeat(1, 1, tubelet_size, 1,
                                          1) / tubelet_size
    inflated = weight.new_zeros(*weight.shape[:2], tubelet_size,
                                *weight.shape[2:])
    inflated[:, :, tubelet_size // 2] = weight
    return inflated
