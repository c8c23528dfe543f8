#!/usr/bin/env python
"""Make images that teach a small teacher where the object is in a frame.

Each image is a single frame of a scene as in make_quickstart_videos.py. The
class of the image is the place of the object on the circle, out of eight. A
single frame does not show the direction of the travel, nor the starting point:
the images do not give away the classes of the videos. Only photographs of the
training videos are used; images for validation show other parts of the
photographs.
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
# Clockwise; a place covers an eighth of a turn, centred on the named point.
PLACES = ('top', 'top_right', 'right', 'bottom_right', 'bottom', 'bottom_left',
          'left', 'top_left')


def make_image(out_dir: Path, split: str, index: int, seed: int) -> None:
    """Draw, render and write an image.

    Args:
        out_dir (Path): The output folder.
        split (str): ``train`` or ``val``.
        index (int): Number of the image in the split.
        seed (int): Seed of the set.

    Raises:
        OSError: If the file cannot be written.
    """
    label = index % len(PLACES)
    # A separate stream of draws for each image; streams 0 and 1 are the
    # videos', so images start at 2.
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
    """Make or complete the set, and print the folder."""
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
