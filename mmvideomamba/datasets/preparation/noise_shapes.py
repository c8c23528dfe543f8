"""Shapes from motion: letters, drawn by the motion of the noise alone."""
from typing import Dict, List, NamedTuple, Sequence, Tuple

import numpy as np

from .noise_flow import (FRESH, Flow, fair_bits, make_injective, move,
                         sources_of)
from .noise_letters import LETTERS, letter_mask, letter_width
from .noise_motions import DIRECTIONS, belongs, draw_place

# Ways of the ground, the noise around the letter.
GROUNDS = ('opposed', 'still', 'flicker')
HEIGHTS = (0.6, 0.85)  # of the side
# Ways of the noise within a letter.
ALL_WAYS = tuple(DIRECTIONS)
ROOM = 5  # places of a letter along a side, at least: every split has some


class Figure(NamedTuple):
    """Values of a clip of a letter, drawn without a look at the class.

    Args:
        height (int): Of the letter, in cells.
        corner (tuple[int, int]): Row and column of the first cell.
        direction (str): Way of the noise within the letter, of
            ``DIRECTIONS``.
    """
    height: int
    corner: Tuple[int, int]
    direction: str


def heights(side: int, split: str) -> List[int]:
    """List the heights of a split.

    Args:
        side (int): Cells of a side.
        split (str): 'train', 'val' or 'test'; see ``belongs``.

    Returns:
        list[int]: Heights in cells, perhaps none.
    """
    first, last = (int(share * side) for share in HEIGHTS)
    last = min(last, side - ROOM + 1)
    return [h for h in range(first, last + 1) if belongs(h, split)]


def draw_figure(rng: np.random.Generator,
                split: str,
                side: int,
                directions: Sequence[str] = ALL_WAYS) -> Figure:
    """Draw everything but the letter and the noise.

    Args:
        rng (np.random.Generator): The source.
        split (str): Of the clip.
        side (int): Cells of a side.
        directions (Sequence[str]): Ways of the noise within the letter.
            Defaults to ``ALL_WAYS``.

    Returns:
        Figure: The drawn values.
    """
    fitting = heights(side, split)
    height = fitting[rng.integers(len(fitting))]
    corner = draw_place(rng, range(side - height + 1),
                        range(side - letter_width(height) + 1), split)
    direction = directions[int(rng.integers(len(directions)))]
    return Figure(height, corner, direction)


def figure_mask(letter: str, figure: Figure, side: int) -> np.ndarray:
    """Draw the letter of a clip.

    Args:
        letter (str): A key of ``LETTERS``.
        figure (Figure): From ``draw_figure``.
        side (int): Cells of a side.

    Returns:
        np.ndarray: True inside, shape (side * side, ), bool.
    """
    mask = np.zeros((side, side), bool)
    drawn = letter_mask(letter, figure.height)
    row, column = figure.corner
    mask[row:row + drawn.shape[0], column:column + drawn.shape[1]] = drawn
    return mask.reshape(-1)


def figure_sources(mask: np.ndarray, direction: str, speed: int,
                   ground: str) -> np.ndarray:
    """Return the injective map of sources of figure and ground.

    A cell of the letter has its source in the letter, a cell of the ground in
    the ground, or none: two areas cannot share a source.

    Args:
        mask (np.ndarray): From ``figure_mask``.
        direction (str): Of ``DIRECTIONS``, of the letter's noise.
        speed (int): Cells per frame.
        ground (str): 'opposed' moves the other way, 'still' stays, 'flicker'
            is fresh in each frame.

    Returns:
        np.ndarray: See ``sources_of``, shape (side * side, ).
    """
    side = int(len(mask)**0.5)
    none = np.full(len(mask), FRESH)
    maps: Dict[bool, np.ndarray] = {True: none, False: none}
    row, column = DIRECTIONS[direction]
    for inside, factor in ((True, 1), (False,
                                       -1 if ground == 'opposed' else 0)):
        if inside or ground != 'flicker':
            flow = Flow(
                (float(factor * speed * row), float(factor * speed * column)))
            maps[inside] = sources_of(flow.velocity(side), np.zeros(2))
    sources = np.where(mask, maps[True], maps[False])
    # Index -1 looks at the last cell, and leaves FRESH what is FRESH.
    sources = np.where(mask[sources] == mask, sources, FRESH)
    return make_injective(sources)


def make_shape(rng: np.random.Generator, letter: str, figure: Figure,
               side: int, frames: int, speed: int, coherence: float,
               ground: str, appearance: float) -> np.ndarray:
    """Make the fields of a clip of a letter.

    Args:
        rng (np.random.Generator): Source of the noise.
        letter (str): A key of ``LETTERS``.
        figure (Figure): From ``draw_figure``.
        side (int): Cells of a side.
        frames (int): Frames t.
        speed (int): Cells per frame.
        coherence (float): Share of the cells obeying the motion.
        ground (str): Of ``GROUNDS``.
        appearance (float): Share of the letter's cells made white, drawn
            anew in each frame: above 0 single frames show the letter, a help
            at the start of a curriculum.

    Returns:
        np.ndarray: 0 and 1, shape (t, side, side), uint8.
    """
    mask = figure_mask(letter, figure, side)
    sources = figure_sources(mask, figure.direction, speed, ground)
    fields = [fair_bits(rng, side * side)]
    for _ in range(frames - 1):
        fields.append(move(rng, fields[-1], sources, coherence))
    found = np.stack(fields)
    if appearance:
        found |= mask & (rng.random(found.shape, np.float32) < appearance)
    return found.reshape(frames, side, side)


def least_obeying(side: int, speed: int) -> Tuple[int, float]:
    """Count the cells of the smallest letter obeying the motion.

    Args:
        side (int): Cells of a side.
        speed (int): Cells per frame.

    Returns:
        tuple[int, float]: The smallest number of cells over all letters and
        directions, and the smallest share of the cells of a letter.
    """
    height = int(HEIGHTS[0] * side)
    counts, shares = [], []
    for letter in LETTERS:
        for direction in DIRECTIONS:
            mask = figure_mask(letter, Figure(height, (0, 0), direction), side)
            sources = figure_sources(mask, direction, speed, 'flicker')
            obeying = int((sources != FRESH).sum())
            counts.append(obeying)
            shares.append(obeying / max(1, int(mask.sum())))
    return min(counts), min(shares)
