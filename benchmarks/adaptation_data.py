"""Clips of motions unknown to the quickstart's model.

Scenes are those of the quickstart: a cut-out of a photograph over another
photograph, at all places of a circle. A class decides the order of the frames
alone: a turn clockwise or counterclockwise, from one of four starting points
halfway between those of the quickstart. Photographs of the tests are in no
other clip.
"""
import functools
from multiprocessing import Pool
from pathlib import Path
from typing import List, Tuple

import numpy as np

from mmvideomamba.datasets.preparation import encode
from mmvideomamba.datasets.preparation.quickstart_scene import (DIRECTIONS,
                                                                START_SPREAD,
                                                                draw_scene,
                                                                render_frame)

STARTS = dict(
    top_right=1 / 8, bottom_right=3 / 8, bottom_left=5 / 8,
    top_left=7 / 8)  # in turns from the top
CLASSES = tuple(f'{d}_from_{s}' for d in DIRECTIONS for s in STARTS)
# Photographs and clips a class. Few-shot sets are drawn from the pool,
# learning rates chosen on tune.
SPLITS = dict(pool=('train', 40), tune=('train', 10), test=('val', 40))
SEED = 2026


def draw_order(rng: np.random.Generator, places: np.ndarray,
               label: int) -> np.ndarray:
    """Choose the order of the frames.

    Args:
        rng (np.random.Generator): Source of the exact start.
        places (np.ndarray): Angles in turns, shape (t, ), ascending.
        label (int): Index into ``CLASSES``.

    Returns:
        np.ndarray: A permutation of the frames, shape (t, ).
    """
    direction, start = CLASSES[label].split('_from_')
    offset = places - STARTS[start]
    distance = np.abs((offset + 0.5) % 1 - 0.5)
    first = rng.choice(np.flatnonzero(distance <= START_SPREAD))
    steps = DIRECTIONS[direction] * np.arange(len(places))
    return (first + steps) % len(places)


def make_clip(clip: Tuple[str, int], folder: Path) -> None:
    """Draw, render and encode a clip.

    Args:
        clip (tuple[str, int]): Split and number in the split.
        folder (Path): Of all clips.
    """
    split, index = clip
    path = folder / f'{split}/{index:04d}.mp4'
    if path.exists():
        return
    rng = np.random.default_rng([SEED, list(SPLITS).index(split), index])
    scene = draw_scene(rng, SPLITS[split][0])
    order = draw_order(rng, scene.places, index % len(CLASSES))
    frames = np.stack([render_frame(scene, p) for p in scene.places[order]])
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix('.part.mp4')
    encode(frames, 15,
           ['-c:v', 'libx264', '-preset', 'superfast', '-threads', '1'], part)
    part.rename(path)


def write_list(folder: Path, name: str, split: str,
               indices: List[int]) -> None:
    """Write an annotation file."""
    lines = [f'{split}/{i:04d}.mp4 {i % len(CLASSES)}\n' for i in indices]
    (folder / f'{name}.txt').write_text(''.join(lines))


def make_data(folder: Path, shots: List[int], seeds: List[int],
              workers: int) -> None:
    """Make the clips that are missing, and the lists.

    Args:
        folder (Path): Of all clips.
        shots (list[int]): Clips a class in the training sets.
        seeds (list[int]): A training set for each.
        workers (int): Number of processes.
    """
    count = len(CLASSES)
    clips = [(s, i) for s, (_, n) in SPLITS.items() for i in range(n * count)]
    with Pool(workers) as pool:
        pool.map(functools.partial(make_clip, folder=folder), clips, 8)
    for split in ('tune', 'test'):
        write_list(folder, split, split, list(range(SPLITS[split][1] * count)))
    for number in shots:
        for seed in seeds:
            rng = np.random.default_rng([SEED, number, seed])
            chosen = [
                int(i) * count + label for label in range(count)
                for i in rng.permutation(SPLITS['pool'][1])[:number]
            ]
            write_list(folder, f'train_{number}_{seed}', 'pool', chosen)
