#!/usr/bin/env python
"""Make images that teach a small teacher what to look at in single frames.

Each image is a frame of a scene like those of make_quickstart_videos.py, for
itself. Its class is the place of the object on its circle, one of eight. A
single frame says nothing about the direction of the travel, and which frame
comes first is not known: the classes of the videos are not in it. Only
photographs of the training videos are used; images for validation show
other parts of them.
"""
import argparse
from pathlib import Path

import cv2
import numpy as np
from mmengine.utils import track_progress

from mmvideomamba.command_line import user_errors
from mmvideomamba.datasets.preparation import check_sources
from mmvideomamba.datasets.preparation.quickstart_scene import (draw_scene,
                                                                render_frame)

SPLITS = ('train', 'val')
# Clockwise, each a place of an eighth of a turn around its middle.
PLACES = ('top', 'top_right', 'right', 'bottom_right', 'bottom', 'bottom_left',
          'left', 'top_left')


def make_image(out_dir: Path, split: str, index: int, seed: int) -> None:
    """Draw, render and write one image.

    Args:
        out_dir (Path): The output folder.
        split (str): ``train`` or ``val``.
        index (int): Number of the image in its split.
        seed (int): Seed of the set.

    Raises:
        OSError: If the file cannot be written.
    """
    label = index % len(PLACES)
    # One stream of draws for each image; 2 and 3, as videos have 0 and 1.
    rng = np.random.default_rng([seed, 2 + SPLITS.index(split), index])
    scene = draw_scene(rng, 'train')
    place = (label + rng.uniform(-0.5, 0.5)) / len(PLACES)
    path = out_dir / split / PLACES[label] / f'{index:05d}.jpg'
    path.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(path), render_frame(scene, place)):
        raise OSError(f'cannot write {path}')


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__.split('\n', maxsplit=1)[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument(
        '--out-dir', type=Path, default=Path('data/quickstart_frames'))
    parser.add_argument('--train', type=int, default=4480, help='images')
    parser.add_argument('--val', type=int, default=640, help='images')
    parser.add_argument('--seed', type=int, default=0)
    return parser.parse_args()


def main() -> None:
    """Make the set, or complete it, and say where it is."""
    args = parse_args()
    cv2.setNumThreads(1)
    counts = dict(train=args.train, val=args.val)
    jobs = [(s, i) for s, count in counts.items() for i in range(count)]
    with user_errors(RuntimeError):
        for split, count in counts.items():
            if count < len(PLACES):
                raise ValueError(f'--{split} {count} is less than the '
                                 f'{len(PLACES)} classes')
        check_sources(encoder=False)
        track_progress(
            lambda job: make_image(args.out_dir, job[0], job[1], args.seed),
            jobs)
    print(f'\n{args.train} training and {args.val} validation images of '
          f'{len(PLACES)} classes in {args.out_dir}')


if __name__ == '__main__':
    main()
