"""Kinds of motion: the classes, and the flow of each step."""
from typing import Dict, List, NamedTuple, Sequence, Tuple

import numpy as np

from .noise_flow import Flow, fair_bits, make_injective, move, sources_of

# Directions as rows and columns per frame, at the speed of the set.
DIRECTIONS: Dict[str, Tuple[int, int]] = dict(
    left=(0, -1), right=(0, 1), up=(-1, 0), down=(1, 0))
FAST = 2  # times the speed
# Motions about a centre: matrix of a flow, in (row, column); see ``Flow``.
TURNS: Dict[str, Tuple[Tuple[float, float], ...]] = dict(
    clockwise=((0., 1.), (-1., 0.)),
    counterclockwise=((0., -1.), (1., 0.)),
    expansion=((1., 0.), (0., 1.)),
    contraction=((-1., 0.), (0., -1.)),
    # Rows below the centre go to the named side, rows above the centre to
    # the opposite side.
    shear_right=((0., 0.), (1., 0.)),
    shear_left=((0., 0.), (-1., 0.)))
# Motions when time runs backwards.
BACKWARDS: Dict[str, str] = dict(
    left='right',
    up='down',
    left_fast='right_fast',
    up_fast='down_fast',
    clockwise='counterclockwise',
    expansion='contraction',
    shear_right='shear_left')
BACKWARDS.update({v: k for k, v in BACKWARDS.items()})

# Name of a class -> motions, one after the other.
KINDS: Dict[str, Tuple[str, ...]] = {
    **{
        name: (name, )
        for name in DIRECTIONS
    },
    **{
        f'{name}_fast': (f'{name}_fast', )
        for name in DIRECTIONS
    },
    **{
        name: (name, )
        for name in TURNS
    },
    'left_then_right': ('left', 'right'),
    'right_then_left': ('right', 'left'),
    'up_then_left': ('up', 'left'),
    'left_then_up': ('left', 'up'),
}

# Scales: the velocity at half a side from the centre, in units of the speed.
# Training has the first, third and fifth, validation the second, test the
# fourth.
EDGE_SPEEDS = (1.5, 1.75, 2., 2.25, 2.5)
MOMENTS = (0.3, 0.7)  # of the steps, where one motion follows another
SPLITS = ('train', 'val', 'test')


class Course(NamedTuple):
    """Values of a clip, drawn without a look at the class.

    Args:
        centre (tuple[int, int]): Row and column of the centre in cells.
        edge_speed (float): Of ``EDGE_SPEEDS``.
        moment (int): Steps before the second motion.
    """
    centre: Tuple[int, int]
    edge_speed: float
    moment: int


def belongs(number: int, split: str) -> bool:
    """Tell whether a place or scale belongs to a split.

    Args:
        number (int): Any.
        split (str): 'train' has the remainders 0, 1 and 2 of a division by
            5, 'val' 3, 'test' 4.

    Returns:
        bool: Whether the number belongs to the split.
    """
    remainder = number % 5
    return SPLITS[max(0, remainder - 2)] == split


def draw_place(rng: np.random.Generator, rows: range, columns: range,
               split: str) -> Tuple[int, int]:
    """Draw a place of a split.

    Args:
        rng (np.random.Generator): The source.
        rows (range): Allowed rows.
        columns (range): Allowed columns, at least 5.
        split (str): The place (row, column) belongs to the split of the
            number row + 2 * column, see ``belongs``.

    Returns:
        tuple[int, int]: Row and column.
    """
    row = rows[rng.integers(len(rows))]
    # 2 and 5 have no common factor: every row and every column holds places of
    # each split.
    fitting = [c for c in columns if belongs(row + 2 * c, split)]
    return row, fitting[rng.integers(len(fitting))]


def draw_course(rng: np.random.Generator, split: str, side: int,
                steps: int) -> Course:
    """Draw everything but class and noise.

    Args:
        rng (np.random.Generator): The source.
        split (str): Of the clip.
        side (int): Cells of a side.
        steps (int): Steps of the clip, a step less than frames.

    Returns:
        Course: The drawn values.
    """
    middle = range(round(0.35 * side), round(0.65 * side) + 1)
    scales = dict(train=(0, 2, 4), val=(1, ), test=(3, ))[split]
    first, last = (round(share * steps) for share in MOMENTS)
    return Course(
        draw_place(rng, middle, middle, split),
        EDGE_SPEEDS[scales[rng.integers(len(scales))]],
        int(rng.integers(first, last + 1)))


def flow_of(motion: str, course: Course, side: int, speed: int) -> Flow:
    """Return the flow of a motion.

    Args:
        motion (str): A motion in ``KINDS``.
        course (Course): Centre and scale.
        side (int): Cells of a side.
        speed (int): Cells per frame of the slow directions.

    Returns:
        Flow: The flow.
    """
    if motion in TURNS:
        rate = course.edge_speed * speed / (side / 2)
        row, column = TURNS[motion]
        return Flow((0., 0.), ((rate * row[0], rate * row[1]),
                               (rate * column[0], rate * column[1])),
                    (course.centre[0], course.centre[1]))
    name, _, fast = motion.partition('_')
    cells = speed * (FAST if fast else 1)
    row_way, column_way = DIRECTIONS[name]
    return Flow((float(row_way * cells), float(column_way * cells)))


def make_kind(rng: np.random.Generator, kind: str, course: Course, side: int,
              frames: int, speed: int, coherence: float) -> np.ndarray:
    """Make the fields of a clip of a kind of motion.

    Args:
        rng (np.random.Generator): Source of the noise.
        kind (str): A key of ``KINDS``.
        course (Course): From ``draw_course``.
        side (int): Cells of a side.
        frames (int): Frames t.
        speed (int): Cells per frame of the slow directions.
        coherence (float): Share of the cells obeying the motion.

    Returns:
        np.ndarray: 0 and 1, shape (t, side, side), uint8.
    """
    velocities = [
        flow_of(motion, course, side, speed).velocity(side)
        for motion in KINDS[kind]
    ]
    fields = [fair_bits(rng, side * side)]
    for step in range(frames - 1):
        second = len(velocities) > 1 and step >= course.moment
        # A jitter for each step makes fractions of a cell right on average.
        sources = sources_of(velocities[second], rng.random(2) - 0.5)
        fields.append(
            move(rng, fields[-1], make_injective(sources), coherence))
    return np.stack(fields).reshape(frames, side, side)


def played_backwards(kind: str) -> str:
    """Name the kind of motion seen when time runs backwards.

    Args:
        kind (str): A key of ``KINDS``.

    Returns:
        str: A key of ``KINDS``, or '' for none.
    """
    motions = tuple(BACKWARDS[motion] for motion in reversed(KINDS[kind]))
    return next((k for k, v in KINDS.items() if v == motions), '')


def shuffled_bound(classes: Sequence[str]) -> float:
    """Return the highest accuracy possible with shuffled frames.

    A pair of frames without an order tells a displacement, but not the sign.
    A clip played backwards has the same frames, so two classes cannot be told
    apart if the first is the second played backwards. (Backwards up to the
    rounding of rotations, expansions and shears.)

    Args:
        classes (Sequence[str]): Keys of ``KINDS``, equally frequent.

    Returns:
        float: From 0 to 1.
    """
    names: List[str] = list(classes)
    mixed = [k for k in names if played_backwards(k) in set(names) - {k}]
    return (len(names) - len(mixed) / 2) / len(names)
