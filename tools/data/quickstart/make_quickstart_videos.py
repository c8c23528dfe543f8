#!/usr/bin/env python
"""Make a small set of real videos whose classes differ only in time.

Each clip shows a cut-out of a photograph travelling a full circle over
another photograph. The class is the direction and the starting point of the
travel, for example ``clockwise_from_top``. The frames of a clip are drawn
first, independent of the class: places all around the circle, photographs,
sizes, light. The class decides only the first frame and the direction of the
sequence, so a model that ignores the order of the frames cannot do better than
chance.

The photographs come with scikit-image (in the wheel, no download), the clips
are encoded by the ffmpeg of imageio-ffmpeg. No photograph of a training clip
appears in a validation clip.
"""
import argparse
import functools
import json
from pathlib import Path
from typing import Dict, List, Tuple

import cv2
import numpy as np

from mmvideomamba.command_line import user_errors
from mmvideomamba.datasets.preparation import (SETTINGS_FILE, check_sources,
                                               encode, make_all,
                                               prepare_folder)
from mmvideomamba.datasets.preparation.quickstart_scene import (CLASSES,
                                                                PICTURES,
                                                                draw_order,
                                                                draw_scene,
                                                                render_frame)

FRAME_RATES = (10, 12, 15, 24, 25, 30)
# name -> (share of the clips, encoder options, quality option, quality range)
CODECS = dict(
    libx264=(0.5, ('-preset', 'superfast'), '-crf', (18, 28)),
    mpeg4=(0.4, (), '-q:v', (2, 7)),
    libx265=(0.1, ('-preset', 'ultrafast', '-x265-params',
                   'log-level=error:pools=1'), '-crf', (20, 28)))

# Raise when the clips of a seed change: an older set is then made anew.
RECIPE_VERSION = 1


def encoder_options(rng: np.random.Generator) -> List[str]:
    """Draw codec, quality and distance of key frames.

    Args:
        rng (np.random.Generator): Source of the options.

    Returns:
        list[str]: Options of ffmpeg.
    """
    shares = [codec[0] for codec in CODECS.values()]
    name = str(rng.choice(list(CODECS), p=shares))
    _, options, quality, quality_range = CODECS[name]
    level = rng.integers(quality_range[0], quality_range[1] + 1)
    key_frames = rng.integers(12, 61)
    return [
        '-c:v', name, *options, quality,
        str(level), '-g',
        str(key_frames), '-threads', '1'
    ]


def clip_name(split: str, index: int) -> str:
    """Name the file of a clip.

    Args:
        split (str): ``train`` or ``val``.
        index (int): Number of the clip in the split.

    Returns:
        str: Path below the output folder, with forward slashes.
    """
    return f'{split}/{CLASSES[index % len(CLASSES)]}/{index:04d}.mp4'


def make_clip(clip: Tuple[str, int], out_dir: Path, seed: int) -> None:
    """Draw, render and encode a clip.

    Args:
        clip (tuple[str, int]): Split, ``train`` or ``val``, and number of the
            clip in the split.
        out_dir (Path): The output folder.
        seed (int): Seed of the set.
    """
    split, index = clip
    # A generator per clip: more clips do not change the first clips.
    rng = np.random.default_rng([seed, list(PICTURES).index(split), index])
    scene = draw_scene(rng, split)
    options = encoder_options(rng)
    frame_rate = int(rng.choice(FRAME_RATES))
    order = draw_order(rng, scene.places, index % len(CLASSES))
    frames = np.stack([render_frame(scene, p) for p in scene.places[order]])
    path = out_dir / clip_name(split, index)
    path.parent.mkdir(parents=True, exist_ok=True)
    encode(frames, frame_rate, options, path)


def write_annotations(out_dir: Path, counts: Dict[str, int]) -> None:
    """Write mmaction2's annotation files and the names of the classes.

    Args:
        out_dir (Path): The output folder.
        counts (dict[str, int]): Number of clips of each split.
    """
    (out_dir / 'classes.txt').write_text('\n'.join(CLASSES) + '\n')
    for split, count in counts.items():
        lines = (f'{clip_name(split, i)} {i % len(CLASSES)}\n'
                 for i in range(count))
        (out_dir / f'{split}.txt').write_text(''.join(lines))


def is_complete(out_dir: Path, counts: Dict[str, int]) -> bool:
    """Tell whether a folder holds all clips and annotation files.

    Args:
        out_dir (Path): The output folder.
        counts (dict[str, int]): Number of clips of each split.

    Returns:
        bool: Whether nothing is missing.
    """
    # The annotations are written last, so each clip before them is whole.
    names = ['classes.txt'] + [f'{split}.txt' for split in counts]
    names += [
        clip_name(s, i) for s, count in counts.items() for i in range(count)
    ]
    return all((out_dir / name).is_file() for name in names)


def make_set(out_dir: Path,
             num_train: int = 480,
             num_val: int = 160,
             seed: int = 0,
             overwrite: bool = False,
             num_workers: int = 1) -> bool:
    """Make the whole set, unless the folder holds the set already.

    Args:
        out_dir (Path): The output folder.
        num_train (int): Number of training clips. Defaults to 480.
        num_val (int): Number of validation clips. Defaults to 160.
        seed (int): Seed of everything drawn. Defaults to 0.
        overwrite (bool): Whether to replace an existing set. Defaults to
            False.
        num_workers (int): Number of processes; the clips are the same for
            any. Defaults to 1.

    Returns:
        bool: Whether clips were made.

    Raises:
        ValueError: If a number of clips cannot be split evenly over the
            classes, or the seed is negative.
        FileExistsError: If the folder holds something else.
        FileNotFoundError: If a photograph is missing.
        RuntimeError: If a clip cannot be encoded.
    """
    counts = dict(train=num_train, val=num_val)
    for split, count in counts.items():
        if count < 1 or count % len(CLASSES):
            raise ValueError(f'The number of {split} clips must be a positive '
                             f'multiple of {len(CLASSES)}, but is {count}.')
    if seed < 0:
        raise ValueError(f'The seed must not be negative, but is {seed}.')
    settings = dict(recipe=RECIPE_VERSION, seed=seed, **counts)
    settings_path = out_dir / SETTINGS_FILE
    if (not overwrite and settings_path.is_file()
            and json.loads(settings_path.read_text()) == settings
            and is_complete(out_dir, counts)):
        return False
    check_sources()
    prepare_folder(out_dir, settings, overwrite)
    clips = [(s, i) for s, count in counts.items() for i in range(count)]
    make = functools.partial(make_clip, out_dir=out_dir, seed=seed)
    make_all(make, clips, num_workers)
    write_annotations(out_dir, counts)
    return True


def parse_args() -> argparse.Namespace:
    """Read the command line.

    Returns:
        argparse.Namespace: The arguments.
    """
    parser = argparse.ArgumentParser(
        description=__doc__.split('\n', maxsplit=1)[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument(
        '--out-dir', type=Path, default=Path('data/quickstart'))
    parser.add_argument('--train', type=int, default=480, help='clips')
    parser.add_argument('--val', type=int, default=160, help='clips')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--workers', type=int, default=1, help='processes')
    parser.add_argument(
        '--overwrite',
        action='store_true',
        help='replace a set that is there, also one of other settings')
    return parser.parse_args()


def main() -> None:
    """Make the set and print the folder."""
    args = parse_args()
    cv2.setNumThreads(1)
    with user_errors(RuntimeError):
        made = make_set(args.out_dir, args.train, args.val, args.seed,
                        args.overwrite, args.workers)
    state = 'made' if made else 'there already, nothing to do'
    print(f'\n{args.train} training and {args.val} validation clips of '
          f'{len(CLASSES)} classes in {args.out_dir}: {state}.')


if __name__ == '__main__':
    main()
