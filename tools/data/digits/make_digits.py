#!/usr/bin/env python
"""Write the handwritten digits of scikit-learn as picture files.

1797 scans of 8x8 pixels in 10 classes, of the UCI set "Optical Recognition of
Handwritten Digits"; the scans come with scikit-learn, nothing is downloaded.
Writes ``OUT_DIR/train/CLASS/NUMBER.png`` and ``OUT_DIR/val/CLASS/NUMBER.png``.
The package stores the pictures about writer by writer; a cut in the middle of
the stored order leaves hardly any writer on both sides.
"""
import argparse
from pathlib import Path
from typing import Any, Dict

import cv2
import numpy as np

from mmvideomamba.command_line import user_errors
from mmvideomamba.extras import require

# The package stores the number of dark pixels in each block of 4x4.
LEVELS = 16


def read_digits() -> tuple:
    """Read the set from scikit-learn.

    Returns:
        tuple: Pictures, uint8, shape (1797, 8, 8), and labels, (1797, ).

    Raises:
        MissingExtraError: If scikit-learn is not installed.
    """
    sets: Any = require('sklearn.datasets', 'quickstart',
                        'the set of handwritten digits')
    digits = sets.load_digits()
    pictures = np.rint(digits.images * (255 / LEVELS)).astype(np.uint8)
    return pictures, digits.target


def write_digits(out_dir: Path, train_ratio: float = 0.5) -> Dict[str, int]:
    """Write both splits.

    Args:
        out_dir (Path): Folder to make; must not hold ``train`` or ``val``.
        train_ratio (float): Share of the pictures, counted from the first,
            for training. Defaults to 0.5.

    Returns:
        dict[str, int]: Number of pictures of each split.

    Raises:
        ValueError: If a split exists, or the ratio is not between 0 and 1.
    """
    if not 0 < train_ratio < 1:
        raise ValueError('--train-ratio must lie between 0 and 1, but is '
                         f'{train_ratio}')
    for split in ('train', 'val'):
        if (out_dir / split).exists():
            raise ValueError(f'{out_dir / split} exists; remove it or choose '
                             'another --out-dir')
    pictures, labels = read_digits()
    cut = round(len(pictures) * train_ratio)
    counts = dict(train=cut, val=len(pictures) - cut)
    for number, (picture, label) in enumerate(zip(pictures, labels)):
        split = 'train' if number < cut else 'val'
        path = out_dir / split / str(label) / f'{number:04d}.png'
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), picture)
    return counts


def main() -> None:
    """Parse the command line and write the files."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--out-dir', type=Path, default=Path('data/digits'))
    parser.add_argument(
        '--train-ratio',
        type=float,
        default=0.5,
        help='share of the pictures for training (default: 0.5)')
    args = parser.parse_args()
    with user_errors():
        counts = write_digits(args.out_dir, args.train_ratio)
    print(f'{counts["train"]} training and {counts["val"]} validation '
          f'pictures written to {args.out_dir}')


if __name__ == '__main__':
    main()
