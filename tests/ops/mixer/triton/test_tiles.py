"""Tiles and grids of the gate and step-size kernels."""
import pytest


def test_a_grid_holds_any_number_of_tokens():
    pytest.importorskip('triton')
    from mmvideomamba.ops.mixer.triton.tiles import GRID_LIMIT, tiles_and_grid
    for tokens in (1, 32 * GRID_LIMIT, 32 * GRID_LIMIT + 1, 10**7):
        tiles, (_, rows) = tiles_and_grid(tokens, 384)
        assert rows <= GRID_LIMIT
        assert rows * tiles['TM'] >= tokens
        assert (tiles['TM'] == 32) == (tokens <= 32 * GRID_LIMIT)
