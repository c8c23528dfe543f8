"""Texts of the hosts' visualizers, written by ours."""
from contextlib import contextmanager
from typing import Any, Iterator, List

import numpy as np

from .text import line_height, text_size, wrap, write_line

LEAST = 8  # height of text in small frames, in pixels
DIMMED = 0.35  # brightness of a frame behind text


def write_note(frame: np.ndarray, text: str) -> np.ndarray:
    """Write lines into the top of a frame, on a dark ground.

    Args:
        frame (np.ndarray): Shape (h, w, 3), uint8, in any channel order.
        text (str): Lines; lines wider than the frame are broken. The text
            shrinks down to 8 pixels to fit the frame; a text without room
            even at 8 pixels ends in an ellipsis.

    Returns:
        np.ndarray: A frame of the same shape, uint8.
    """
    height, width = frame.shape[:2]
    size = text_size(height, width)
    while True:
        edge, step = size // 3, line_height(size)
        lines: List[str] = []
        for line in text.splitlines():
            lines += wrap(line, max(1, width - 2 * edge), size)
        room = max(1, (height - 2 * edge) // step)
        if len(lines) <= room or size <= LEAST:
            break
        size -= 1
    if len(lines) > room:
        lines = [*lines[:room - 1], f'{lines[room - 1][:-1]}…']
    drawn = frame.copy()
    ground = step * len(lines) + 2 * edge
    drawn[:ground] = (DIMMED * drawn[:ground]).astype(np.uint8)
    for row, line in enumerate(lines):
        write_line(drawn, line, (edge, edge + step * row + size), size=size)
    return drawn


@contextmanager
def our_texts(visualizer: Any) -> Iterator[None]:
    """Let a visualizer of a host write by ``write_note``.

    The hosts write by matplotlib: a name with two dollar signs is taken for a
    formula, scripts other than Latin become boxes, long lines leave the
    picture.

    Args:
        visualizer (Visualizer): Of mmaction2 or mmpretrain. Places, fonts and
            colours asked for by the host do not count meanwhile.
    """
    # The hosts write by the axes of matplotlib: boxes for other scripts, and
    # formulas between dollar signs.
    axes = visualizer.ax_save

    def text(x: float, y: float, given: str, *args: Any,
             **kwargs: Any) -> None:
        visualizer.set_image(write_note(visualizer._image, given))

    axes.text = text
    try:
        yield
    finally:
        del axes.text
