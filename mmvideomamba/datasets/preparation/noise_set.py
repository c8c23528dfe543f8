"""Videos of noise, whose classes only motion tells."""
import dataclasses
import functools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Tuple

import numpy as np

from .clip_set import SETTINGS_FILE, make_all, prepare_folder
from .lossless_video import LOSSLESS, check_codec, check_written, write_grey
from .noise_letters import LETTERS
from .noise_motions import FAST, KINDS, SPLITS, draw_course, make_kind
from .noise_shapes import (ALL_WAYS, GROUNDS, ROOM, draw_figure, heights,
                           least_obeying, make_shape)

RECIPE_VERSION = 1  # raise it when the clips of a seed change
TASKS: Dict[str, Tuple[str, ...]] = dict(
    kinds=tuple(KINDS), shapes=tuple(LETTERS))
FRAME_RATE = 16
PER_FOLDER = 1000  # files of a folder
BLOCK = 50  # clips of a call of a worker
LEAST_SIDE = 16  # cells
# Fewest frames of a clip with two motions, and of any.
FRAMES_OF_TWO, FRAMES_OF_ONE = 8, 2
# Fewest cells of a letter obeying the motion, and lowest share of all cells.
LEAST_CELLS, LEAST_SHARE = 64, 0.5


@dataclass(frozen=True)
class NoiseSettings:
    """Settings of a set.

    Args:
        task (str): 'kinds' of motion or 'shapes' from motion.
        train (int): Clips of training, a multiple of the number of classes.
        val (int): Clips of validation.
        test (int): Clips of the test.
        frames (int): Frames of a clip. Defaults to 16.
        size (int): Side of a frame in pixels. Defaults to 64.
        cell (int): Side of a cell of noise in pixels. Defaults to 1.
        speed (int): Cells per frame. Defaults to 1.
        coherence (float): Share of the cells obeying the motion in a step.
            Defaults to 1.
        ground (str): Ways of the noise around a letter: 'opposed', 'still'
            or 'flicker'. Defaults to 'opposed'.
        appearance (float): Share of a letter's cells made white in the
            clips of training. Defaults to 0.
        directions (tuple[str, ...]): Ways of the noise within a letter, of
            'left', 'right', 'up' and 'down'. Defaults to (), all four.
        classes (tuple[str, ...]): Names of some of the classes. Defaults to
            (), all of the task.
        codec (str): A key of ``LOSSLESS``. Defaults to 'ffvhuff'.
        seed (int): Seed of everything drawn. Defaults to 0.
    """
    task: str
    train: int
    val: int
    test: int
    frames: int = 16
    size: int = 64
    cell: int = 1
    speed: int = 1
    coherence: float = 1.
    ground: str = 'opposed'
    appearance: float = 0.
    directions: Tuple[str, ...] = ()
    classes: Tuple[str, ...] = ()
    codec: str = 'ffvhuff'
    seed: int = 0

    @property
    def names(self) -> Tuple[str, ...]:
        """Names of the classes, in the order of the labels."""
        return self.classes or TASKS[self.task]

    @property
    def ways(self) -> Tuple[str, ...]:
        """Ways of the noise within a letter."""
        return self.directions or ALL_WAYS

    @property
    def side(self) -> int:
        """Cells of a side of a frame."""
        return self.size // self.cell

    @property
    def counts(self) -> Dict[str, int]:
        """Clips of each split."""
        return {split: getattr(self, split) for split in SPLITS}


def check_settings(settings: NoiseSettings) -> None:
    """Refuse a set whose class leaks, or cannot be told by anyone.

    Args:
        settings (NoiseSettings): Settings of a set.

    Raises:
        ValueError: If a setting is refused; the message names the option.
    """
    check_codec(settings.codec)
    _check_choices(settings)
    _check_grid(settings)
    for split, count in settings.counts.items():
        if count < 1 or count % len(settings.names):
            raise ValueError(
                f'--{split} must be a positive multiple of the '
                f'{len(settings.names)} classes, but is {count}: else some '
                'classes are more frequent than others.')
    _check_frames(settings)
    _check_speed(settings)
    if settings.task == 'shapes':
        _check_shapes(settings)


def _check_choices(settings: NoiseSettings) -> None:
    """Check names and shares."""
    if settings.task not in TASKS:
        raise ValueError(f'the task must be one of {list(TASKS)}, but is '
                         f'{settings.task!r}.')
    unknown = [n for n in settings.classes if n not in TASKS[settings.task]]
    if unknown or len(set(settings.names)) != len(settings.names):
        raise ValueError(
            f'--classes must be different names of {settings.task}, but '
            f'{unknown or settings.names} are not: '
            f'{", ".join(TASKS[settings.task])}.')
    if len(settings.names) < 2:
        raise ValueError('--classes must name at least 2 classes, but names '
                         f'{settings.names[0]!r} alone.')
    if settings.ground not in GROUNDS:
        raise ValueError(f'--ground must be one of {list(GROUNDS)}, but is '
                         f'{settings.ground!r}.')
    if settings.seed < 0:
        raise ValueError(f'--seed must not be negative, but is '
                         f'{settings.seed}.')
    if not 0 < settings.coherence <= 1:
        raise ValueError('--coherence is the share of the cells that obey the '
                         'motion, above 0 and at most 1, but is '
                         f'{settings.coherence}: without it no class can be '
                         'told.')
    if not 0 <= settings.appearance <= 1:
        raise ValueError('--appearance is a share from 0 to 1, but is '
                         f'{settings.appearance}.')
    given = settings.directions
    if len(set(given)) != len(given) or not set(given) <= set(ALL_WAYS):
        raise ValueError(f'--directions must be different ones of '
                         f'{list(ALL_WAYS)}, but are {list(given)}.')
    shapes_only = settings.appearance or settings.ground != 'opposed'
    if settings.task == 'kinds' and (shapes_only or given):
        raise ValueError('--appearance, --ground and --directions belong to a '
                         'letter: a kind of motion has none.')


def _check_grid(settings: NoiseSettings) -> None:
    """Check frames and cells."""
    if settings.cell < 1 or settings.size < 1 or \
            settings.size % settings.cell:
        raise ValueError(
            f'--cell {settings.cell} does not divide --size {settings.size}: '
            'cut cells at the border would not be noise of the same kind.')
    if settings.side < LEAST_SIDE:
        raise ValueError(
            f'a frame of {settings.side} x {settings.side} cells has too few '
            f'for the places of the splits: --size / --cell must be at least '
            f'{LEAST_SIDE}.')


def _check_frames(settings: NoiseSettings) -> None:
    """Check the length of a clip for each class."""
    two = [n for n in settings.names if len(KINDS.get(n, ())) > 1]
    least = FRAMES_OF_TWO if two else FRAMES_OF_ONE
    if settings.frames < least:
        why = (f'of {two[0]!r}, one motion after another; leave such classes '
               'out with --classes, or'
               if two else 'of any motion, which needs a pair of frames;')
        raise ValueError(f'--frames {settings.frames} is below the {least} '
                         f'{why} make longer clips.')


def _check_speed(settings: NoiseSettings) -> None:
    """Check the speed: noise must be seen again in the next frames."""
    fastest = FAST if settings.task == 'kinds' else 1
    most = settings.side // 8 // fastest
    if not 1 <= settings.speed <= most:
        raise ValueError(
            f'--speed must be from 1 to {most} whole cells per frame, for '
            f'{settings.side} cells of a side, but is {settings.speed}: '
            'noise that stands still, or has left its surroundings in the '
            'next frame, makes classes ambiguous.')


def _check_shapes(settings: NoiseSettings) -> None:
    """Check places, scales and cells of each letter."""
    lacking = [s for s in SPLITS if not heights(settings.side, s)]
    cells, share = least_obeying(settings.side, settings.speed)
    if lacking or cells < LEAST_CELLS or share < LEAST_SHARE:
        raise ValueError(
            f'too few noise cells for the letters: on {settings.side} cells '
            f'of a side at --speed {settings.speed} the smallest one has '
            f'{cells} that move with it ({share:.0%} of its cells), at least '
            f'{LEAST_CELLS} and {LEAST_SHARE:.0%} are needed, and '
            f'{ROOM} places along a side; take a larger --size, a smaller '
            '--cell or a lower --speed.')


def clip_name(settings: NoiseSettings, split: str, index: int) -> str:
    """Name the file of a clip.

    Args:
        settings (NoiseSettings): Settings of the set.
        split (str): Of ``SPLITS``.
        index (int): Number of the clip in its split; the class is the
            remainder of a division by the number of classes.

    Returns:
        str: Path below the folder, with forward slashes; no name of a class.
    """
    ending = LOSSLESS[settings.codec].container
    # The name of a file does not tell the class.
    return f'{split}/{index // PER_FOLDER:03d}/{index:06d}.{ending}'


def draw_clip(settings: NoiseSettings, split: str,
              index: int) -> Tuple[np.ndarray, int]:
    """Draw a clip.

    Places, scales, directions and moments are drawn before a look at the
    class. Each clip has a generator of random numbers of its own, and more
    clips do not change the first.

    Args:
        settings (NoiseSettings): Settings of the set.
        split (str): Of ``SPLITS``.
        index (int): Number of the clip in its split.

    Returns:
        tuple[np.ndarray, int]: Frames, 0 and 255, (t, size, size), uint8, and
        the label.
    """
    rng = np.random.default_rng([settings.seed, SPLITS.index(split), index])
    # The counts are multiples of the number of classes: no class is more
    # frequent.
    label = index % len(settings.names)
    name, side, shared = settings.names[label], settings.side, (
        settings.frames, settings.speed, settings.coherence)
    if settings.task == 'kinds':
        course = draw_course(rng, split, side, settings.frames - 1)
        fields = make_kind(rng, name, course, side, *shared)
    else:
        figure = draw_figure(rng, split, side, settings.ways)
        # White cells are the start of a curriculum: validation and test show
        # the letter by motion alone.
        fields = make_shape(rng, name, figure, side, *shared, settings.ground,
                            settings.appearance if split == 'train' else 0.)
    frames = fields * np.uint8(255)
    if settings.cell > 1:
        frames = frames.repeat(settings.cell, 1).repeat(settings.cell, 2)
    return frames, label


def make_block(block: Tuple[str, int, int], out_dir: Path,
               settings: NoiseSettings) -> None:
    """Draw and write some clips of a split.

    Args:
        block (tuple[str, int, int]): The split, the first clip, and the end,
            which is left out.
        out_dir (Path): The folder of the set.
        settings (NoiseSettings): Settings of the set.

    Raises:
        RuntimeError: If the first file does not give its pixels back.
    """
    split, first, end = block
    for index in range(first, end):
        path = out_dir / clip_name(settings, split, index)
        path.parent.mkdir(parents=True, exist_ok=True)
        frames, _ = draw_clip(settings, split, index)
        write_grey(frames, path, settings.codec, FRAME_RATE)
        # A file of each block is enough to tell whether the codec is lossless
        # here.
        if index == first:
            check_written(frames, path)


def is_complete(out_dir: Path, settings: NoiseSettings) -> bool:
    """Tell whether a folder holds the whole set of these settings.

    Args:
        out_dir (Path): The folder.
        settings (NoiseSettings): Settings of the set.

    Returns:
        bool: Whether nothing is missing.
    """
    path = out_dir / SETTINGS_FILE
    if not path.is_file() or json.loads(path.read_text()) != as_json(settings):
        return False
    # The lists are written last: with lists, each clip is whole.
    names: List[str] = ['classes.txt', *(f'{split}.txt' for split in SPLITS)]
    names += [
        clip_name(settings, split, i)
        for split, count in settings.counts.items() for i in range(count)
    ]
    return all((out_dir / name).is_file() for name in names)


def as_json(settings: NoiseSettings) -> dict:
    """Return the settings as kept next to the clips."""
    found = dataclasses.asdict(settings)
    found['classes'] = list(settings.names)
    found['directions'] = list(settings.directions)
    return dict(recipe=f'motion_noise {RECIPE_VERSION}', **found)


def make_noise_set(out_dir: Path,
                   settings: NoiseSettings,
                   overwrite: bool = False,
                   num_workers: int = 1) -> bool:
    """Make the whole set, unless it is there already.

    Args:
        out_dir (Path): The output folder.
        settings (NoiseSettings): Settings of the set.
        overwrite (bool): Whether to replace a set of other settings that is
            there. Defaults to False.
        num_workers (int): Number of processes; the clips are the same for
            any. Defaults to 1.

    Returns:
        bool: Whether clips were made.

    Raises:
        ValueError: If a setting is refused, see ``check_settings``.
        FileExistsError: If the folder holds something else.
        RuntimeError: If a file does not give its pixels back.
    """
    check_settings(settings)
    if not overwrite and is_complete(out_dir, settings):
        return False
    prepare_folder(out_dir, as_json(settings), overwrite, SPLITS)
    blocks = [(split, first, min(first + BLOCK, count))
              for split, count in settings.counts.items()
              for first in range(0, count, BLOCK)]
    make = functools.partial(make_block, out_dir=out_dir, settings=settings)
    make_all(make, blocks, num_workers)
    write_lists(out_dir, settings)
    return True


def write_lists(out_dir: Path, settings: NoiseSettings) -> None:
    """Write mmaction2's annotation files and the names of the classes.

    Args:
        out_dir (Path): The output folder.
        settings (NoiseSettings): Settings of the set.
    """
    (out_dir / 'classes.txt').write_text('\n'.join(settings.names) + '\n')
    for split, count in settings.counts.items():
        (out_dir / f'{split}.txt').write_text(''.join(
            f'{clip_name(settings, split, i)} {i % len(settings.names)}\n'
            for i in range(count)))
