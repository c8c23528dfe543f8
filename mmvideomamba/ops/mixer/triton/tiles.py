"""Tiles and grids of the kernels over rows and channels (m, d)."""
from typing import Dict, Tuple

from ...runtime.host import GRID_LIMIT, ceil_div, power_of_2


def tiles_and_grid(m: int,
                   d: int,
                   height: int = 32,
                   width: int = 128) -> Tuple[Dict[str, int], Tuple[int, int]]:
    """Choose the tile of a kernel over (m, d).

    Args:
        m (int): Rows.
        d (int): Channels.
        height (int): Rows of a tile, doubled until a grid holds all rows.
            Defaults to 32.
        width (int): Largest number of channels of a tile. Defaults to 128.

    Returns:
        tuple: Compile-time arguments ``TM`` and ``TD``, and the grid.
    """
    width = min(width, max(16, power_of_2(d)))
    while ceil_div(m, height) > GRID_LIMIT:
        height *= 2
    return dict(TM=height, TD=width), (ceil_div(d, width), ceil_div(m, height))
