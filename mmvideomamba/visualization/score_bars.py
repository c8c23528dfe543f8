"""Score bars of classes, each under the name of the class."""
import functools
from typing import List, Sequence, Tuple

import numpy as np

from .text import WHITE, text_panel

Scores = List[Tuple[str, float]]

BAR = (64, 160, 255)  # colour, RGB
GROUND = (45, 45, 45)  # the part of a bar up to 1


def draw_score_bars(scores: Sequence[Tuple[str, float]], width: int,
                    size: int) -> np.ndarray:
    """Draw a bar for each class, below the score and the name.

    Args:
        scores (Sequence[tuple[str, float]]): Names and scores, best first. A
            bar is full at a score of 1 and empty at 0 or below.
        width (int): Of the panel, and of a full bar, in pixels.
        size (int): Height of text, in pixels.

    Returns:
        np.ndarray: RGB, shape (h, width, 3), uint8.
    """
    thick = max(3, size // 4)
    rows = [np.zeros((0, width, 3), np.uint8)]
    for name, score in scores:
        bar = np.zeros((thick + size // 2, width, 3), np.uint8)
        bar[:thick] = GROUND
        bar[:thick, :round(min(max(score, 0.), 1.) * width)] = BAR
        rows += [
            text_panel([(f'{score:.2f} {name}', WHITE)], width, size), bar
        ]
    return np.concatenate(rows)


@functools.lru_cache(maxsize=4)
def repeated_bars(scores: Tuple[Tuple[str, float], ...], width: int,
                  size: int) -> np.ndarray:
    """Draw bars once for all frames of a video, see ``draw_score_bars``.

    Args:
        scores (tuple[tuple[str, float]]): Names and scores.
        width (int): Of the panel, in pixels.
        size (int): Height of text, in pixels.

    Returns:
        np.ndarray: RGB, shape (h, width, 3), uint8, shared by all callers:
        to be copied, not changed.
    """
    return draw_score_bars(scores, width, size)
