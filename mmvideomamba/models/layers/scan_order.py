"""Scan orders: the sequence of a clip's tokens in the mixers.

Tokens are stored spatial-first: all locations of frame 0, then of frame 1,
and so on. A mixer may gather them into temporal-first order (all frames of
location 0, then of location 1, ...) and put the result back. The class token
stays first. Source: VideoMamba, arXiv:2403.06977, Section 3.2 and Table 3.
"""
from typing import List, Optional

import torch
from torch import Tensor

# The orders of a single mixer.
MIXER_ORDERS = ('spatial_first', 'temporal_first', 'spatiotemporal_v1',
                'spatiotemporal_v2')
# The orders of a trunk: a mixer order in every block, or a mixture by depth.
SCAN_ORDERS = MIXER_ORDERS + ('spatial_then_temporal', 'temporal_then_spatial',
                              'alternating')


def block_orders(scan_order: str, num_layers: int) -> List[str]:
    """Name the mixer order of every block of a trunk.

    Args:
        scan_order (str): A name in ``SCAN_ORDERS``.
        num_layers (int): Number of blocks.

    Returns:
        List[str]: A name in ``MIXER_ORDERS`` for each block.

    Raises:
        ValueError: If the name is unknown.
    """
    if scan_order in MIXER_ORDERS:
        return [scan_order] * num_layers
    spatial, temporal = MIXER_ORDERS[:2]
    half = num_layers // 2
    if scan_order == 'spatial_then_temporal':
        return [spatial] * half + [temporal] * (num_layers - half)
    if scan_order == 'temporal_then_spatial':
        return [temporal] * half + [spatial] * (num_layers - half)
    if scan_order == 'alternating':
        return [(spatial, temporal)[i % 2] for i in range(num_layers)]
    raise ValueError(f'unknown scan_order {scan_order!r}; choose one of '
                     f'{list(SCAN_ORDERS)}')


def temporal_order(num_tubelets: int,
                   num_patches: int,
                   visible: Optional[Tensor] = None,
                   device: Optional[torch.device] = None) -> Tensor:
    """Return the index to gather a sequence into temporal-first order.

    Args:
        num_tubelets (int): Token frames t.
        num_patches (int): Locations of a frame, h * w.
        visible (Tensor, optional): Spatial-first positions of the visible
            tokens, shape (b, v), rising in each row. Defaults to None, all
            tokens.
        device (torch.device, optional): Where to put the index. Defaults to
            None, the device of ``visible`` or the CPU.

    Returns:
        Tensor: Index with the class token at 0, int64, shape (1 + t * h * w)
        or (b, 1 + v). Place i of the temporal-first sequence takes the token
        at place ``index[i]`` of the spatial-first sequence.
    """
    if visible is None:
        visible = torch.arange(num_tubelets * num_patches, device=device)
    # Position p is location p % num_patches of frame p // num_patches.
    place = visible % num_patches * num_tubelets + visible // num_patches
    # A sort, since dropped tokens leave gaps between the places. The class
    # token at 0 moves all others by 1.
    order = place.argsort(dim=-1) + 1
    return torch.cat([torch.zeros_like(order[..., :1]), order], dim=-1)
