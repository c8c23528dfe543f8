#!/usr/bin/env python
"""Make a small set of videos with captions that say what moves where.

A coloured disc, cut out of one photograph, crosses another photograph to the
left or right, up or down. Captions name the colour, the way and the ground,
in several wordings. Some combinations of the three are in the validation
clips only, so that a model that retrieves these has understood the words one
by one. The photographs come with scikit-image. A vocabulary for a tokenizer
that needs no download lies beside the clips.
"""
import argparse
import functools
import itertools
import json
import string
from pathlib import Path
from typing import List, NamedTuple, Optional, Sequence, Tuple

import cv2
import numpy as np

from mmvideomamba.command_line import user_errors
from mmvideomamba.datasets.preparation import (check_sources, encode, make_all,
                                               prepare_folder)
from mmvideomamba.datasets.preparation.quickstart_scene import (
    lay_over, make_background, make_cutout)

COLOURS = dict(
    red=(50, 50, 255),
    green=(50, 210, 50),
    blue=(255, 80, 50),
    yellow=(40, 230, 240),
    white=(245, 245, 245))
WAYS = dict(left=(-1, 0), right=(1, 0), up=(0, -1), down=(0, 1))
GROUNDS = dict(
    bricks='brick.png', grass='grass.png', text='text.png', coins='coins.png')
OBJECT = 'moon.png'

WORDINGS = ('a {colour} disc moves {way} over {ground}',
            '{ground} with a {colour} ball that travels {way}',
            'something round and {colour} goes {way} in front of {ground}',
            'over {ground} a {colour} circle is moving {way}')
WAY_WORDS = dict(
    left=('left', 'to the left', 'from right to left'),
    right=('right', 'to the right', 'from left to right'),
    up=('up', 'to the top', 'from bottom to top'),
    down=('down', 'to the bottom', 'from top to bottom'))
SPECIAL = ('[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]')

SIZE = (96, 96)  # width and height in pixels
NUM_FRAMES = (16, 40)
FRAME_RATE = 12
ENCODER = ('-c:v', 'mpeg4', '-q:v', '3', '-threads', '1')
RECIPE_VERSION = 1  # raise it when the clips of a seed change


class Combination(NamedTuple):
    """What a clip shows."""
    colour: str
    way: str
    ground: str


def combinations() -> Tuple[List[Combination], List[Combination]]:
    """Split all combinations.

    Returns:
        tuple: Those of training and those of validation. Each word is in
        both, each pair of words is in training.
    """
    splits: Tuple[List[Combination], List[Combination]] = ([], [])
    parts = (tuple(COLOURS), tuple(WAYS), tuple(GROUNDS))
    for numbers in itertools.product(*(range(len(part)) for part in parts)):
        one = Combination(*(part[i] for part, i in zip(parts, numbers)))
        splits[sum(numbers) % 4 == 3].append(one)
    return splits


def captions(one: Combination) -> List[str]:
    """Describe a combination in every wording."""
    ground = f'the {one.ground}' if one.ground == 'text' else one.ground
    return [
        wording.format(colour=one.colour, way=way, ground=ground)
        for wording in WORDINGS for way in WAY_WORDS[one.way]
    ]


def vocabulary() -> List[str]:
    """List the tokens: the words, and letters for any other word."""
    texts = itertools.chain.from_iterable(
        captions(one) for split in combinations() for one in split)
    words = sorted({word for text in texts for word in text.split()})
    letters = string.ascii_lowercase + string.digits
    tail = [x for x in letters if x not in words] + [f'##{x}' for x in letters]
    return [*SPECIAL, *words, *tail]


def render(one: Combination, rng: np.random.Generator) -> np.ndarray:
    """Render the frames of a clip.

    Args:
        one (Combination): What it shows.
        rng (np.random.Generator): Source of all else.

    Returns:
        np.ndarray: BGR, shape (t, h, w, 3), uint8.
    """
    cutout = make_cutout(rng, OBJECT, SIZE[1])
    light = cutout[..., :3].mean(-1, keepdims=True) / 150
    cutout[..., :3] = np.minimum(light, 1.2) * COLOURS[one.colour]
    cutout[..., :3] = np.minimum(cutout[..., :3], 255 * cutout[..., 3:])
    ground = make_background(rng, GROUNDS[one.ground], SIZE)
    way = np.array(WAYS[one.way])
    size = np.array(SIZE)
    middle = (size - np.array(cutout.shape[1::-1])) / 2
    # Anywhere across the way, from border to border along it.
    middle = middle + (1 - abs(way)) * rng.uniform(-0.2, 0.2) * size
    reach = rng.uniform(0.25, 0.35) * size
    steps = np.linspace(-1, 1, int(rng.integers(*NUM_FRAMES)))
    frames = []
    for step in steps:
        frame = ground.copy()
        lay_over(frame, cutout, *(middle + step * reach * way))
        frames.append(frame)
    return np.stack(frames)


def make_clip(clip: Tuple[str, Combination], out_dir: Path, seed: int) -> None:
    """Render and encode one clip.

    Args:
        clip (tuple[str, Combination]): Path below the folder, and what it
            shows.
        out_dir (Path): The output folder.
        seed (int): Seed of the set.
    """
    name, one = clip
    rng = np.random.default_rng([seed, *name.encode()])
    (out_dir / name).parent.mkdir(parents=True, exist_ok=True)
    encode(render(one, rng), FRAME_RATE, ENCODER, out_dir / name)


def clip_names(split: str, one: Combination, count: int) -> List[str]:
    """Name the clips of a combination."""
    return [f'{split}/{"-".join(one)}-{i}.mp4' for i in range(count)]


def make_set(out_dir: Path,
             num_train: int = 8,
             num_val: int = 2,
             seed: int = 0,
             overwrite: bool = False,
             num_workers: int = 1) -> int:
    """Make the whole set.

    Args:
        out_dir (Path): The output folder.
        num_train (int): Clips of each of the training combinations. Defaults
            to 8.
        num_val (int): Clips of each of the others. Defaults to 2.
        seed (int): Seed of everything drawn. Defaults to 0.
        overwrite (bool): Whether to write over a set that is there. Defaults
            to False.
        num_workers (int): Number of processes. Defaults to 1.

    Returns:
        int: Number of clips, 0 if the set was there already.

    Raises:
        ValueError: If a number is not positive.
        FileExistsError: If the folder holds something else.
    """
    if min(num_train, num_val) < 1:
        raise ValueError('the numbers of clips must be positive, but are '
                         f'{num_train} and {num_val}')
    settings = dict(
        captions=RECIPE_VERSION, seed=seed, train=num_train, val=num_val)
    files = [out_dir / f'{name}.json' for name in ('settings', 'train', 'val')]
    if not overwrite and all(file.is_file() for file in files) and (json.loads(
            files[0].read_text()) == settings):
        return 0
    check_sources()
    prepare_folder(out_dir, settings, overwrite)
    train, val = combinations()
    clips: List[Tuple[str, Combination]] = []
    annotations: dict = dict(train=[], val=[])
    for split, ones, count in (('train', train, num_train), ('val', val,
                                                             num_val)):
        for one in ones:
            names = clip_names(split, one, count)
            clips += [(name, one) for name in names]
            annotations[split].append(dict(video=names, caption=captions(one)))
    make = functools.partial(make_clip, out_dir=out_dir, seed=seed)
    make_all(make, clips, num_workers)
    (out_dir / 'vocab.txt').write_text('\n'.join(vocabulary()) + '\n')
    for split, entries in annotations.items():
        (out_dir / f'{split}.json').write_text(json.dumps(entries, indent=1))
    return len(clips)


def parse_args(args: Optional[Sequence[str]] = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__.split('\n', maxsplit=1)[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument(
        '--out-dir', type=Path, default=Path('data/quickstart_captions'))
    parser.add_argument(
        '--train', type=int, default=8, help='clips per combination')
    parser.add_argument(
        '--val', type=int, default=2, help='clips per combination')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--workers', type=int, default=1, help='processes')
    parser.add_argument('--overwrite', action='store_true')
    return parser.parse_args(args)


def main() -> None:
    """Make the set and say where it is."""
    args = parse_args()
    cv2.setNumThreads(1)
    with user_errors(RuntimeError):
        made = make_set(args.out_dir, args.train, args.val, args.seed,
                        args.overwrite, args.workers)
    print(f'\n{made or "all"} clips in {args.out_dir}: '
          f'{"made" if made else "there already, nothing to do"}.')


if __name__ == '__main__':
    main()
