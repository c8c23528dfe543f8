"""Draws for a clip, and the draws as a row of numbers for transport."""
from typing import List, NamedTuple, Optional, Sequence, Tuple

import torch
from torch import Tensor

# The transform's operations; a code is a place in this tuple.
OPERATIONS = ('AutoContrast', 'Equalize', 'Invert', 'Rotate', 'Posterize',
              'Solarize', 'SolarizeAdd', 'Color', 'Contrast', 'Brightness',
              'Sharpness', 'ShearX', 'ShearY', 'TranslateX', 'TranslateY')
INTERPOLATIONS = ('bilinear', 'bicubic')
MAX_OPERATIONS = 8
MAX_SEED = 2**31 - 1

# Numbers of each field, in the order of a row. An unused place holds 0.
_LENGTHS = dict(
    count=1,
    codes=MAX_OPERATIONS,
    strengths=MAX_OPERATIONS,
    fill=3,
    box=4,
    size=2,
    rounded=1,
    interpolation=1,
    flip=1,
    erases=1,
    erase=4,
    noise_mean=3,
    noise_std=3,
    seed=1)
DRAW_SIZE = sum(_LENGTHS.values())

Triple = Tuple[float, float, float]
Box = Tuple[int, int, int, int]


class ClipDraws(NamedTuple):
    """All random choices of a clip's augmentation.

    Args:
        box (tuple[int]): The crop: left, top, right, bottom, in pixels of
            the source.
        size (tuple[int]): Height and width of the result, in pixels.
        operations (tuple): Names in ``OPERATIONS`` and strengths, in the
            order of application, at most ``MAX_OPERATIONS``; the form of
            ``ClipRandAugment.draw``. Defaults to ().
        fill (tuple[int]): Colour of places without a source, RGB, 0 to 255.
            Defaults to (128, 128, 128).
        rounded (bool): Whether the resized crop has whole grey levels in 0
            to 255 as for uint8 frames. Defaults to True.
        interpolation (str): 'bilinear' or 'bicubic', as in OpenCV. Defaults
            to 'bilinear'.
        flip (bool): Whether the crop is mirrored horizontally. Defaults to
            False.
        erase (tuple[int], optional): Top, left, height and width of a box of
            noise, in pixels of the result, after the flip. Defaults to None.
        noise_mean (tuple[float]): Mean of the noise, RGB. Defaults to 0.
        noise_std (tuple[float]): Standard deviation of the noise, RGB.
            Defaults to 0.
        seed (int): Of the noise, 0 to ``MAX_SEED``. Defaults to 0.
    """
    box: Box
    size: Tuple[int, int]
    operations: Tuple[Tuple[str, float], ...] = ()
    fill: Tuple[int, int, int] = (128, 128, 128)
    rounded: bool = True
    interpolation: str = 'bilinear'
    flip: bool = False
    erase: Optional[Box] = None
    noise_mean: Triple = (0., 0., 0.)
    noise_std: Triple = (0., 0., 0.)
    seed: int = 0


def _check_operations(draws: ClipDraws) -> None:
    if len(draws.operations) > MAX_OPERATIONS:
        raise ValueError(f'a clip has {len(draws.operations)} operations; at '
                         f'most {MAX_OPERATIONS} fit')
    unknown = [n for n, _ in draws.operations if n not in OPERATIONS]
    if unknown:
        raise ValueError(f'unknown operations {unknown}; choose among '
                         f'{list(OPERATIONS)}')


def _check(draws: ClipDraws) -> None:
    """Raise a ValueError with the first field out of range."""
    _check_operations(draws)
    if draws.interpolation not in INTERPOLATIONS:
        raise ValueError('interpolation must be one of '
                         f'{list(INTERPOLATIONS)}, but is '
                         f'{draws.interpolation!r}')
    if any(not 0 <= value <= 255 for value in draws.fill):
        raise ValueError(f'fill must lie in 0 to 255, but is {draws.fill}')
    left, top, right, bottom = draws.box
    if not (0 <= left < right and 0 <= top < bottom):
        raise ValueError('box must be (left, top, right, bottom) with '
                         f'something inside, but is {draws.box}')
    if min(draws.size) < 1:
        raise ValueError(f'size must be at least 1, but is {draws.size}')
    if draws.erase is not None:
        top, left, height, width = draws.erase
        if (min(top, left) < 0 or top + height > draws.size[0]
                or left + width > draws.size[1]):
            raise ValueError(f'erase, {draws.erase}, leaves the result of '
                             f'size {draws.size}')
    if not 0 <= draws.seed <= MAX_SEED:
        raise ValueError(f'seed must lie in 0 to {MAX_SEED}, but is '
                         f'{draws.seed}')


def _padded(values: Sequence[float]) -> List[float]:
    return [*values, *[0] * (MAX_OPERATIONS - len(values))]


def encode(draws: ClipDraws) -> Tensor:
    """Write draws as a row of numbers, for a data loader to stack.

    Args:
        draws (ClipDraws): The draws of a clip.

    Returns:
        Tensor: Shape (DRAW_SIZE, ), float64, on the CPU; all values are kept
        exactly.

    Raises:
        ValueError: If a field is out of range.
    """
    _check(draws)
    codes = [OPERATIONS.index(name) for name, _ in draws.operations]
    strengths = [strength for _, strength in draws.operations]
    row = [
        len(codes), *_padded(codes), *_padded(strengths), *draws.fill,
        *draws.box, *draws.size, draws.rounded,
        INTERPOLATIONS.index(draws.interpolation), draws.flip, draws.erase
        is not None, *(draws.erase or (0, 0, 0, 0)), *draws.noise_mean,
        *draws.noise_std, draws.seed
    ]
    return torch.tensor(row, dtype=torch.float64)


def decode(row: Tensor) -> ClipDraws:
    """Read draws back from a row of numbers.

    Args:
        row (Tensor): Result of ``encode``, shape (DRAW_SIZE, ).

    Returns:
        ClipDraws: Equal to the encoded draws.

    Raises:
        ValueError: If the shape is wrong, or a field out of range.
    """
    if tuple(row.shape) != (DRAW_SIZE, ):
        raise ValueError(f'a row of draws must have shape ({DRAW_SIZE}, ), '
                         f'but has {tuple(row.shape)}')
    values, fields, start = row.tolist(), {}, 0
    for name, length in _LENGTHS.items():
        fields[name] = values[start:start + length]
        start += length

    def whole(name: str) -> tuple:
        return tuple(int(value) for value in fields[name])

    count, = whole('count')
    if not 0 <= count <= MAX_OPERATIONS:
        raise ValueError(f'a row of draws has {count} operations; at most '
                         f'{MAX_OPERATIONS} fit')
    draws = ClipDraws(
        operations=tuple((OPERATIONS[code], strength)
                         for code, strength in zip(
                             whole('codes')[:count], fields['strengths'])),
        fill=whole('fill'),
        box=whole('box'),
        size=whole('size'),
        rounded=bool(*whole('rounded')),
        interpolation=INTERPOLATIONS[whole('interpolation')[0]],
        flip=bool(*whole('flip')),
        erase=whole('erase') if whole('erases')[0] else None,
        noise_mean=tuple(fields['noise_mean']),
        noise_std=tuple(fields['noise_std']),
        seed=whole('seed')[0])
    _check(draws)
    return draws
