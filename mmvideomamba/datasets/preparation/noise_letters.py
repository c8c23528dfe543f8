"""Masks of letters, drawn from lines, without a font.

Letters of an installed font, or of a version of OpenCV, would change with the
machine; the lines below do not.
"""
import functools
from typing import Dict, Tuple

import numpy as np

Line = Tuple[Tuple[float, float], ...]

# Corners of the lines of a letter: x from 0 to 1, y from 0 (top) to 1. Letters
# different by a stroke alone (B, D, G, I, O, Q) are left out.
LETTERS: Dict[str, Tuple[Line, ...]] = {
    'A': (((0, 1), (.5, 0), (1, 1)), ((.2, .65), (.8, .65))),
    'C': (((1, .1), (.7, 0), (.3, 0), (0, .3), (0, .7), (.3, 1), (.7, 1),
           (1, .9)), ),
    'E': (((1, 0), (0, 0), (0, 1), (1, 1)), ((0, .5), (.8, .5))),
    'F': (((1, 0), (0, 0), (0, 1)), ((0, .5), (.8, .5))),
    'H': (((0, 0), (0, 1)), ((1, 0), (1, 1)), ((0, .5), (1, .5))),
    'J': (((.3, 0), (1, 0)), ((.8, 0), (.8, .7), (.6, 1), (.3, 1), (0, .75))),
    'K': (((0, 0), (0, 1)), ((1, 0), (0, .55), (1, 1))),
    'L': (((0, 0), (0, 1), (1, 1)), ),
    'M': (((0, 1), (0, 0), (.5, .6), (1, 0), (1, 1)), ),
    'N': (((0, 1), (0, 0), (1, 1), (1, 0)), ),
    'P': (((0, 1), (0, 0), (.7, 0), (1, .2), (1, .35), (.7, .55), (0, .55)), ),
    'R': (((0, 1), (0, 0), (.7, 0), (1, .2), (1, .35), (.7, .55), (0, .55)),
          ((.4, .55), (1, 1))),
    'S': (((1, .1), (.7, 0), (.3, 0), (0, .25), (.3, .48), (.7, .52), (1, .75),
           (.7, 1), (.3, 1), (0, .9)), ),
    'T': (((0, 0), (1, 0)), ((.5, 0), (.5, 1))),
    'U': (((0, 0), (0, .7), (.3, 1), (.7, 1), (1, .7), (1, 0)), ),
    'V': (((0, 0), (.5, 1), (1, 0)), ),
    'W': (((0, 0), (.2, 1), (.5, .4), (.8, 1), (1, 0)), ),
    'X': (((0, 0), (1, 1)), ((1, 0), (0, 1))),
    'Y': (((0, 0), (.5, .5), (1, 0)), ((.5, .5), (.5, 1))),
    'Z': (((0, 0), (1, 0), (0, 1), (1, 1)), ),
}

WIDTH = 0.85  # of the height
STROKE = 0.2  # of the height


@functools.lru_cache(maxsize=None)
def letter_mask(letter: str, height: int) -> np.ndarray:
    """Draw a letter.

    Args:
        letter (str): A key of ``LETTERS``.
        height (int): Height in cells.

    Returns:
        np.ndarray: True inside, shape (height, width), bool; read-only.
    """
    width = letter_width(height)
    radius = STROKE * height / 2
    rows, columns = np.mgrid[:height, :width] + 0.5
    scale = np.array([width, height]) - 2 * radius
    mask = np.zeros((height, width), bool)
    for line in LETTERS[letter]:
        corners = np.array(line) * scale + radius
        for start, end in zip(corners, corners[1:]):
            mask |= _distance(columns, rows, start, end) <= radius
    # Shared by all callers through the cache.
    mask.setflags(write=False)
    return mask


def letter_width(height: int) -> int:
    """Return the width of a letter.

    Args:
        height (int): Height in cells.

    Returns:
        int: Width in cells.
    """
    return round(WIDTH * height)


def _distance(x: np.ndarray, y: np.ndarray, start: np.ndarray,
              end: np.ndarray) -> np.ndarray:
    """Return the distance of points from a line between two corners."""
    way = end - start
    along = ((x - start[0]) * way[0] + (y - start[1]) * way[1]) / (way @ way)
    along = np.clip(along, 0, 1)
    return np.hypot(x - start[0] - along * way[0],
                    y - start[1] - along * way[1])
