"""Clips of a disc and a square, and texts about the clips.

``tools/data/quickstart/make_quickstart_captions.py`` makes the clips. A
caption has four words of content: two colours, a place and a ground. Multiple
choice changes each word alone, and exchanges the two colours.
"""
import itertools
import math
import zlib
from typing import Dict, List, NamedTuple, Tuple

import numpy as np

from .quickstart_scene import (OBJECT_BRIGHTNESS, lay_over, load_picture,
                               random_crop, relight)

COLOURS = dict(
    red=(50, 50, 255),
    green=(50, 210, 50),
    blue=(255, 80, 50),
    yellow=(40, 230, 240),
    white=(245, 245, 245))  # BGR
# Of the square, as steps to the right and down from the middle.
PLACES = dict(left=(-1, 0), right=(1, 0), top=(0, -1), bottom=(0, 1))
# A photograph and its tint, in BGR.
GROUNDS = dict(
    bricks=('brick.png', (0.55, 0.65, 1.)),
    coins=('coins.png', (0.4, 0.85, 1.)),
    grass=('grass.png', (0.55, 1., 0.6)),
    gravel=('gravel.png', (0.9, 0.9, 0.9)))
TEXTURE = 'moon.png'  # the surface of disc and square
HELD_OUT = 64  # combinations of 'val', and of 'test'

SIZE = (96, 96)  # width and height in pixels
NUM_FRAMES = (16, 25)  # the second is left out
# Diameter of the disc and side of the square, in heights of a frame. The
# sizes differ, because a model of 32 pixels hardly sees corners.
DISC = (0.2, 0.26)
SQUARE = (0.36, 0.42)
REACH = (0.28, 0.38)  # of the disc, from the middle of the way to the ends
ASIDE = 0.3  # of the disc, from the middle, across the way
APART = (0.28, 0.33)  # from the middle of a frame to the square's
JITTER = 0.03  # of the square, on each axis
GROUND_SHARE = (0.5, 1)  # of the photograph
GROUND_BRIGHTNESS = (70, 120)

WORDINGS = (
    'a {colour} disc moves past a {other} square at the {place} over {ground}',
    'over {ground} a {colour} disc travels near a {other} square at the '
    '{place}',
    'a {other} square rests at the {place} of {ground} while a {colour} disc '
    'moves',
    '{ground} with a {other} square at the {place} and a {colour} disc that '
    'travels',
)


class Combination(NamedTuple):
    """Content of a clip.

    Args:
        colour (str): Colour of the disc, of ``COLOURS``.
        other (str): Colour of the square, unlike ``colour``.
        place (str): Place of the square, of ``PLACES``.
        ground (str): Photograph under both, of ``GROUNDS``.
    """
    colour: str
    other: str
    place: str
    ground: str

    @property
    def name(self) -> str:
        """Name of a file, such as red_blue-left_grass."""
        return f'{self.colour}_{self.other}-{self.place}_{self.ground}'


class Question(NamedTuple):
    """A question about a clip, and the answer."""
    question: str
    answer: str


def combinations() -> Dict[str, List[Combination]]:
    """Split all combinations of words by chance.

    A checksum of the name decides, and so no word of a held-out combination
    follows from the other words.

    Returns:
        dict[str, list[Combination]]: 192 combinations of 'train', and 64 each
        of 'val' and 'test'. Each pair of words is in training.
    """
    parts = (COLOURS, COLOURS, PLACES, GROUNDS)
    ones = [
        one
        for one in itertools.starmap(Combination, itertools.product(*parts))
        if one.colour != one.other
    ]
    # crc32, as Python's hash of a text changes with each process.
    mixed = sorted(ones, key=lambda one: zlib.crc32(one.name.encode()))
    return dict(
        train=mixed[2 * HELD_OUT:],
        val=mixed[:HELD_OUT],
        test=mixed[HELD_OUT:2 * HELD_OUT])


def captions(one: Combination) -> List[str]:
    """Describe a combination in every wording."""
    return [wording.format(**one._asdict()) for wording in WORDINGS]


def options(one: Combination, rng: np.random.Generator) -> List[str]:
    """List the caption of a clip and four wrong captions like it.

    Args:
        one (Combination): Content of the clip.
        rng (np.random.Generator): Source of the wording and the changes.

    Returns:
        list[str]: The right caption first; then captions with another place
        of the square, another ground, another colour of the square, and the
        colours exchanged.
    """
    changed = [one]
    for field, values in (('place', PLACES), ('ground', GROUNDS), ('other',
                                                                   COLOURS)):
        taken = (getattr(one, field), one.colour)
        others = [value for value in values if value not in taken]
        changed.append(one._replace(**{field: str(rng.choice(others))}))
    changed.append(one._replace(colour=one.other, other=one.colour))
    wording = int(rng.integers(len(WORDINGS)))
    return [captions(combination)[wording] for combination in changed]


def questions(one: Combination) -> List[Question]:
    """Ask all questions about a combination."""
    return [
        Question('what colour is the disc', one.colour),
        Question('what moves', f'a {one.colour} disc'),
        Question('what colour is the square', one.other),
        Question(f'what rests at the {one.place}', f'a {one.other} square'),
        Question('where is the square', one.place),
        Question('what is the ground', one.ground),
    ]


def make_shape(rng: np.random.Generator, shape: str, colour: str,
               frame_height: int) -> np.ndarray:
    """Cut a coloured shape with a soft border out of a photograph.

    Args:
        rng (np.random.Generator): Source of size and surface.
        shape (str): 'disc' or 'square'.
        colour (str): Of ``COLOURS``.
        frame_height (int): Height of the frames in pixels.

    Returns:
        np.ndarray: As ``Scene.cutout``.
    """
    width = rng.uniform(*(DISC if shape == 'disc' else SQUARE)) * frame_height
    side = math.ceil(width) + 4
    surface = random_crop(rng, load_picture(TEXTURE), (side, side), (0.3, 0.7))
    surface = relight(rng, surface, OBJECT_BRIGHTNESS, (0.8, 1.2))
    light = np.minimum(surface.mean(-1, keepdims=True) / 150, 1.2)
    x = abs((np.arange(side) - (side - 1) / 2) / (width / 2))
    if shape == 'disc':
        to_border = 1 - np.hypot(x[None], x[:, None])
    else:
        to_border = 1 - np.maximum(x[None], x[:, None])
    opacity = np.clip(to_border * width / 4, 0, 1)[..., None]
    colours = np.minimum(light * COLOURS[colour], 255) * opacity
    return np.concatenate([colours, opacity], 2).astype(np.float32)


def render(one: Combination, rng: np.random.Generator) -> np.ndarray:
    """Render the frames of a clip.

    The disc moves to the left, right, top or bottom, drawn by ``rng``; no
    caption tells the way.

    Args:
        one (Combination): Content of the clip.
        rng (np.random.Generator): Source of sizes, textures, exact places and
            motion.

    Returns:
        np.ndarray: BGR, shape (t, h, w, 3), uint8.
    """
    size = np.array(SIZE)
    photograph, tint = GROUNDS[one.ground]
    picture = random_crop(rng, load_picture(photograph), SIZE, GROUND_SHARE)
    picture = relight(rng, picture, GROUND_BRIGHTNESS, (0.7, 1.1))
    ground = (picture * tint).astype(np.uint8)
    square = make_shape(rng, 'square', one.other, SIZE[1])
    place = np.array(PLACES[one.place]) * rng.uniform(*APART)
    shift = (place + rng.uniform(-JITTER, JITTER, 2)) * size
    lay_over(ground, square, *(_middle(square) + shift))
    disc = make_shape(rng, 'disc', one.colour, SIZE[1])
    way = np.array(tuple(PLACES.values())[rng.integers(len(PLACES))])
    start = _middle(disc) + (1 - abs(way)) * rng.uniform(-ASIDE, ASIDE) * size
    reach = rng.uniform(*REACH) * size
    frames = np.repeat(ground[None], int(rng.integers(*NUM_FRAMES)), 0)
    for frame, step in zip(frames, np.linspace(-1, 1, len(frames))):
        lay_over(frame, disc, *(start + step * reach * way))
    return frames


def _middle(cutout: np.ndarray) -> Tuple[float, float]:
    """Return where a cut-out lies in the middle of a frame."""
    return ((SIZE[0] - cutout.shape[1]) / 2, (SIZE[1] - cutout.shape[0]) / 2)
