"""The order of all clips' operations, as numbers for kernels."""
import math
from typing import Dict, List, NamedTuple, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray

from .draws import INTERPOLATIONS, OPERATIONS, ClipDraws

# Operations on single values of a channel; BY_STATISTICS needs the counts of
# all pixels of a frame first.
BY_STATISTICS = ('AutoContrast', 'Equalize', 'Contrast')
BY_TABLE = BY_STATISTICS + ('Invert', 'Posterize', 'Solarize', 'SolarizeAdd',
                            'Brightness')
_ORDER = {name: place for place, name in enumerate(BY_TABLE)}
# Numbers of a clip in a layer, and of a clip in the crop. Even counts let all
# parts of the single upload start at multiples of 16 bytes.
STEP_WHOLE = 8  # source, target, height, width, code, fill
STEP_REAL = 8  # strength, matrix, 0
# Source, height, width, left, top, width and height of the box, flip,
# rounded, interpolation, seed, erased box, 0.
CROP_WHOLE = 16
CROP_REAL = 6  # mean and standard deviation of the noise
IDENTITY = (1., 0., 0., 0., 1., 0.)

Matrix = Tuple[float, ...]


class Source(NamedTuple):
    """Frames of a clip in memory.

    Args:
        address (int): Of the first byte.
        height (int): Of a frame, in pixels.
        width (int): Of a frame, in pixels.
    """
    address: int
    height: int
    width: int


class Layer(NamedTuple):
    """The k-th operation of all clips with so many.

    Args:
        first (int): Row of the first clip among the rows of all layers.
        clips (int): Clips in the layer: first the clips in need of
            statistics, then the clips with tables only, then others.
        statistics (int): Clips in need of statistics.
        tables (int): Clips with tables, clips with statistics included.
        pixels (int): Pixels of the largest frame.
    """
    first: int
    clips: int
    statistics: int
    tables: int
    pixels: int


class Plan(NamedTuple):
    """All launches of a call.

    Args:
        layers (list[Layer]): In the order of launches.
        whole (np.ndarray): Rows of layers, STEP_WHOLE numbers each, then rows
            of crops, CROP_WHOLE each; int64, flat.
        real (np.ndarray): Likewise with STEP_REAL and CROP_REAL; float64.
        steps (int): Rows of layers.
    """
    layers: List[Layer]
    whole: NDArray[np.int64]
    real: NDArray[np.float64]
    steps: int


def matrix_of(name: str, strength: float, height: int, width: int) -> Matrix:
    """Return where the pixels of an operation's result come from.

    Args:
        name (str): Name of the operation.
        strength (float): Strength of the operation.
        height (int): Of the frame, in pixels.
        width (int): Of the frame, in pixels.

    Returns:
        tuple[float]: (a, b, c, d, e, f); the place (x, y) of the result shows
        (a x + b y + c, d x + e y + f) of the source.
    """
    if name == 'ShearX':
        return 1., strength, 0., 0., 1., 0.
    if name == 'ShearY':
        return 1., 0., 0., strength, 1., 0.
    if name == 'TranslateX':
        return 1., 0., strength * width, 0., 1., 0.
    if name == 'TranslateY':
        return 1., 0., 0., 0., 1., strength * height
    if name != 'Rotate':
        return IDENTITY
    # PIL's matrix, rounded as PIL rounds.
    angle = -math.radians(strength % 360.)
    cos, sin = round(math.cos(angle), 15), round(math.sin(angle), 15)
    x, y = width / 2, height / 2
    return (cos, sin, cos * -x + sin * -y + x, -sin, cos,
            -sin * -x + cos * -y + y)


def _targets(sources: Sequence[Source], draws: Sequence[ClipDraws],
             frames: int, buffers: Sequence[int]) -> List[List[int]]:
    """Return the address of each clip's pixels after each operation."""
    ends, places = list(buffers), []
    for source, drawn in zip(sources, draws):
        # A clip goes back and forth between two places.
        own = []
        for turn in range(min(2, len(drawn.operations))):
            own.append(ends[turn])
            ends[turn] += frames * source.height * source.width * 3
        places.append([own[k % 2] for k in range(len(drawn.operations))])
    return places


def sizes_of_buffers(sources: Sequence[Source], draws: Sequence[ClipDraws],
                     frames: int) -> Tuple[int, int]:
    """Count the bytes of pixels after odd and after even operations.

    Args:
        sources (Sequence[Source]): Frames of each clip.
        draws (Sequence[ClipDraws]): Draws of each clip.
        frames (int): Frames of a clip.

    Returns:
        tuple[int]: Bytes of both buffers.
    """
    sizes = [0, 0]
    for source, drawn in zip(sources, draws):
        for turn in range(min(2, len(drawn.operations))):
            sizes[turn] += frames * source.height * source.width * 3
    return sizes[0], sizes[1]


def _layer(clips: List[int], names: Dict[int, str], sources: Sequence[Source],
           first: int) -> Layer:
    """Describe the launches for an operation of each clip."""
    return Layer(
        first=first,
        clips=len(clips),
        statistics=sum(names[i] in BY_STATISTICS for i in clips),
        tables=sum(names[i] in BY_TABLE for i in clips),
        pixels=max(sources[i].height * sources[i].width for i in clips))


def _crop(address: int, source: Source, drawn: ClipDraws) -> Tuple[int, ...]:
    """Return the whole numbers of a clip's crop."""
    left, top, right, bottom = drawn.box
    return (address, source.height, source.width, left, top, right - left,
            bottom - top, drawn.flip, drawn.rounded,
            INTERPOLATIONS.index(drawn.interpolation), drawn.seed,
            *(drawn.erase or (0, 0, 0, 0)), 0)


def make_plan(sources: Sequence[Source], draws: Sequence[ClipDraws],
              frames: int, buffers: Sequence[int]) -> Plan:
    """Lay out the launches of a call.

    Args:
        sources (Sequence[Source]): Frames of each clip; clips may share.
        draws (Sequence[ClipDraws]): Draws of each clip.
        frames (int): Frames of a clip.
        buffers (Sequence[int]): Addresses of two buffers of the sizes of
            ``sizes_of_buffers``.

    Returns:
        Plan: Rows of numbers for the kernels.
    """
    targets = _targets(sources, draws, frames, buffers)
    at = [source.address for source in sources]
    layers: List[Layer] = []
    whole: List[Tuple[int, ...]] = []
    real: List[Tuple[float, ...]] = []
    for k in range(max(len(drawn.operations) for drawn in draws)):
        clips = [i for i, d in enumerate(draws) if k < len(d.operations)]
        names = {i: draws[i].operations[k][0] for i in clips}
        clips.sort(key=lambda i: _ORDER.get(names[i], len(_ORDER)))
        layers.append(_layer(clips, names, sources, len(real)))
        for i in clips:
            strength = draws[i].operations[k][1]
            _, height, width = sources[i]
            whole.append((at[i], targets[i][k], height, width,
                          OPERATIONS.index(names[i]), *draws[i].fill))
            real.append(
                (strength, *matrix_of(names[i], strength, height, width), 0.))
            at[i] = targets[i][k]
    steps = len(real)
    for address, source, drawn in zip(at, sources, draws):
        whole.append(_crop(address, source, drawn))
        real.append((*drawn.noise_mean, *drawn.noise_std))
    return Plan(layers, np.array([n for row in whole for n in row], np.int64),
                np.array([x for row in real for x in row], np.float64), steps)
