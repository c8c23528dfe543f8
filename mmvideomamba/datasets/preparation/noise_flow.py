"""Moving fields of binary noise, of which each frame is pure noise.

A step from frame x to frame y takes each cell p of y either from a source
cell of x or from a fresh fair bit::

    y[p] = x[source[p]]   where source[p] >= 0
    y[p] = fresh[p]       elsewhere

**No frame tells anything.** Let the cells of x be independent fair bits, and
let ``source`` be drawn without a look at x and be injective: no cell of x is
the source of two cells of y. Then different cells of y have different sources,
and the cells of y are independent fair bits, too. The first frame consists of
independent fair bits, and by induction each frame does, given class, place,
scale and all maps. A warp by the nearest neighbour is not injective: an
expanding field would show the same cell twice, side by side, and a single
frame would tell the expansion. ``make_injective`` leaves the source to a
single cell, and the other cells get fresh bits.

Pairs of frames tell the motion, and nothing else is left to tell.
"""
import functools
from typing import NamedTuple, Tuple

import numpy as np

FRESH = -1  # in a map of sources: the cell gets a fresh bit


class Flow(NamedTuple):
    """Velocities of an affine motion.

    A cell at (row, column) moves by ``shift + matrix @ (place - centre)``
    cells per frame.

    Args:
        shift (tuple[float, float]): Rows and columns per frame.
        matrix (tuple[tuple[float, float], ...]): 2 x 2, per frame. Defaults to
            zeros, a translation.
        centre (tuple[float, float]): Row and column. Defaults to (0, 0).
    """
    shift: Tuple[float, float]
    matrix: Tuple[Tuple[float, float], ...] = ((0., 0.), (0., 0.))
    centre: Tuple[float, float] = (0., 0.)

    def velocity(self, side: int) -> np.ndarray:
        """Return the velocities of all cells.

        Args:
            side (int): Cells of a side of the field.

        Returns:
            np.ndarray: Rows and columns per frame, (2, side, side), float64.
        """
        offsets = grid(side) - np.reshape(self.centre, (2, 1, 1))
        moved = np.tensordot(np.array(self.matrix), offsets, 1)
        return moved + np.reshape(self.shift, (2, 1, 1))


@functools.lru_cache(maxsize=None)
def grid(side: int) -> np.ndarray:
    """Return the row and the column of all cells.

    Args:
        side (int): Cells of a side.

    Returns:
        np.ndarray: Shape (2, side, side), float64; read-only.
    """
    places = np.mgrid[:side, :side].astype(np.float64)
    # Shared by all callers through the cache.
    places.setflags(write=False)
    return places


def sources_of(velocity: np.ndarray, jitter: np.ndarray) -> np.ndarray:
    """Find the nearest source of each cell; the map may not be injective.

    Args:
        velocity (np.ndarray): Shape (2, side, side).
        jitter (np.ndarray): Shape (2, ), in cells, from -0.5 to 0.5. Another
            jitter in each step makes fractions of a cell right on average,
            and moves the seams between areas of different whole steps. Whole
            velocities are not changed.

    Returns:
        np.ndarray: Number of the source cell, row by row, or ``FRESH`` for a
        source outside the field, shape (side * side, ), int64.
    """
    side = velocity.shape[-1]
    # The jitter stays below half a cell: whole velocities must not be rounded
    # to others.
    wanted = grid(side) - velocity + 0.999 * jitter.reshape(2, 1, 1)
    rows, columns = np.rint(wanted).astype(np.int64)
    inside = (rows >= 0) & (rows < side) & (columns >= 0) & (columns < side)
    return np.where(inside, rows * side + columns, FRESH).reshape(-1)


def make_injective(sources: np.ndarray) -> np.ndarray:
    """Leave each source to a single cell.

    Args:
        sources (np.ndarray): Shape (cells, ), int64, ``FRESH`` for none.

    Returns:
        np.ndarray: The map with ``FRESH`` for each cell whose source
        belongs to a later cell, shape (cells, ).
    """
    cells = np.arange(len(sources))
    # The last entry stands for FRESH. Of several writers the last one stays.
    owner = np.empty(len(sources) + 1, np.int64)
    owner[sources] = cells
    return np.where(owner[sources] == cells, sources, FRESH)


def fair_bits(rng: np.random.Generator, count: int) -> np.ndarray:
    """Draw independent fair bits.

    Args:
        rng (np.random.Generator): The source.
        count (int): Number of bits.

    Returns:
        np.ndarray: 0 and 1, shape (count, ), uint8.
    """
    drawn = np.frombuffer(rng.bytes((count + 7) // 8), np.uint8)
    return np.unpackbits(drawn)[:count]


def move(rng: np.random.Generator,
         field: np.ndarray,
         sources: np.ndarray,
         coherence: float = 1.) -> np.ndarray:
    """Take a step of the field.

    Args:
        rng (np.random.Generator): Source of the fresh bits.
        field (np.ndarray): Bits, shape (cells, ), uint8.
        sources (np.ndarray): Injective map, shape (cells, ).
        coherence (float): Share of the cells obeying the motion; other cells
            get fresh bits, drawn anew in each step. Defaults to 1.

    Returns:
        np.ndarray: The next field, shape (cells, ), uint8.
    """
    moved = np.where(sources == FRESH, fair_bits(rng, len(field)),
                     field[sources])
    if coherence < 1:
        # The draw costs time, and a coherence of 1 does without.
        lost = rng.random(len(field), np.float32) >= coherence
        moved = np.where(lost, fair_bits(rng, len(field)), moved)
    return moved
