#!/usr/bin/env python
"""Make images that teach a small teacher what is in the quickstart's videos.

Each image is a frame of a scene like those of make_quickstart_videos.py, an
object's photograph over that of a background, for itself: it says nothing
about direction or starting point, the classes of the videos. Its class is
the pair of photographs, for example ``rocket_over_brick``. Only photographs
of the training videos are used; images for validation show other parts of
them.
"""
import argparse
from pathlib import Path

import cv2
import numpy as np
from mmengine.utils import track_progress
from quickstart_scene import PICTURES, draw_scene, render_frame

SPLITS = ('train', 'val')


def pairs() -> list:
    """List the pairs of photographs, as (class, object, background)."""
    photographs = PICTURES['train']
    return [(f'{Path(o).stem}_over_{Path(b).stem}', o, b)
            for o in photographs['objects']
            for b in photographs['backgrounds']]


def make_image(out_dir: Path, split: str, index: int, seed: int) -> None:
    """Draw, render and write one image.

    Args:
        out_dir (Path): The output folder.
        split (str): ``train`` or ``val``.
        index (int): Number of the image in its split.
        seed (int): Seed of the set.
    """
    classes = pairs()
    name, picture, background = classes[index % len(classes)]
    # One stream of draws for each image; 2 and 3, as videos have 0 and 1.
    rng = np.random.default_rng([seed, 2 + SPLITS.index(split), index])
    scene = draw_scene(rng, 'train', picture, background)
    path = out_dir / split / name / f'{index:05d}.jpg'
    path.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(path), render_frame(scene, rng.uniform())):
        raise OSError(f'cannot write {path}')


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__.split('\n', maxsplit=1)[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument(
        '--out-dir', type=Path, default=Path('data/quickstart_frames'))
    parser.add_argument('--train', type=int, default=4500, help='images')
    parser.add_argument('--val', type=int, default=600, help='images')
    parser.add_argument('--seed', type=int, default=0)
    return parser.parse_args()


def main() -> None:
    """Make the set, or complete it, and say where it is."""
    args = parse_args()
    cv2.setNumThreads(1)
    counts = dict(train=args.train, val=args.val)
    for split, count in counts.items():
        if count < len(pairs()):
            raise SystemExit(f'error: --{split} {count} is less than the '
                             f'{len(pairs())} classes')
    jobs = [(s, i) for s, count in counts.items() for i in range(count)]
    try:
        track_progress(lambda job: make_image(args.out_dir, *job, args.seed),
                       jobs)
    except OSError as error:
        raise SystemExit(f'error: {error}') from error
    print(f'\n{args.train} training and {args.val} validation images of '
          f'{len(pairs())} classes in {args.out_dir}')


if __name__ == '__main__':
    main()
