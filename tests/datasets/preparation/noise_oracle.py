"""Classes of videos of noise, found by brute force from the frames alone."""
from itertools import product
from typing import Dict, List, Tuple

import cv2
import numpy as np

from mmvideomamba.datasets.preparation.noise_letters import letter_mask
from mmvideomamba.datasets.preparation.noise_motions import (DIRECTIONS, FAST,
                                                             KINDS, TURNS)
from mmvideomamba.datasets.preparation.noise_shapes import heights

REACH = 4  # cells per frame, the fastest motion looked for
BLOCK = 8  # cells of a side of an area with a displacement


def agreement(signs: np.ndarray, row: int, column: int) -> np.ndarray:
    """Return where a frame agrees with the moved frame before.

    Args:
        signs (np.ndarray): -1 and 1, shape (t, h, w).
        row (int): Rows moved.
        column (int): Columns moved.

    Returns:
        np.ndarray: Shape (t - 1, h, w), 0 where nothing comes from.
    """
    moved = cv2.copyMakeBorder(signs[:-1].transpose(1, 2, 0), REACH, REACH,
                               REACH, REACH, cv2.BORDER_CONSTANT)
    _, height, width = signs.shape
    top, left = REACH - row, REACH - column
    moved = moved[top:top + height, left:left + width]
    return moved.transpose(2, 0, 1) * signs[1:]


def motion_of(signs: np.ndarray) -> np.ndarray:
    """Fit an affine motion to the displacements of blocks.

    Returns:
        np.ndarray: Mean velocity, and the matrix times half a side: 6 numbers.
    """
    ways = list(product(range(-REACH, REACH + 1), repeat=2))
    side = signs.shape[1]
    scores = np.stack([agreement(signs, *way).mean(0) for way in ways])
    blocks = scores.reshape(
        len(ways), side // BLOCK, BLOCK, side // BLOCK, BLOCK).mean((2, 4))
    velocity = np.array(ways)[blocks.argmax(0)]  # (n, n, 2)
    places = np.moveaxis(np.mgrid[:side // BLOCK, :side // BLOCK], 0, -1)
    offsets = (places + 0.5) * BLOCK / (side / 2) - 1
    design = np.column_stack(
        [np.ones(places[..., 0].size),
         offsets.reshape(-1, 2)])
    fit, *_ = np.linalg.lstsq(design, velocity.reshape(-1, 2), rcond=None)
    return np.concatenate([velocity.mean((0, 1)), fit[1:].T.reshape(-1)])


def ideal_motion(motion: str) -> np.ndarray:
    """Return the same numbers of a motion in ``KINDS`` at speed 1."""
    if motion in TURNS:
        return np.concatenate([[0, 0], 2 * np.ravel(TURNS[motion])])
    name, _, fast = motion.partition('_')
    way = np.array(DIRECTIONS[name]) * (FAST if fast else 1)
    return np.concatenate([way, np.zeros(4)])


def find_kind(frames: np.ndarray) -> str:
    """Name the kind of motion of frames (t, h, w), a pixel a cell."""
    signs = np.where(frames > 0, 1, -1).astype(np.int8)
    part = max(2, round(0.3 * len(frames)))
    found = np.stack([motion_of(signs[:part]), motion_of(signs[-part:])])
    errors: Dict[str, float] = {}
    for kind, motions in KINDS.items():
        ideal = np.stack([ideal_motion(motions[i]) for i in (0, -1)])
        errors[kind] = float(((found - ideal)**2).sum())
    return min(errors, key=lambda k: errors[k])


def find_letter(frames: np.ndarray, letters: List[str], split: str) -> str:
    """Name the letter of frames (t, h, w), a pixel a cell."""
    signs = np.where(frames > 0, 1, -1).astype(np.int8)
    energy = {
        name: agreement(signs, *way).sum(0).astype(np.float32)
        for name, way in DIRECTIONS.items()
    }
    axes = [('left', 'right'), ('up', 'down')]
    one, other = max(axes, key=lambda x: (energy[x[0]] + energy[x[1]]).sum())
    best: Tuple[float, str] = (-np.inf, '')
    for sign in (1, -1):
        inside = sign * (energy[one] - energy[other])
        for height, letter in product(heights(len(inside), split), letters):
            mask = letter_mask(letter, height).astype(np.float32)
            match = cv2.matchTemplate(inside, mask, cv2.TM_CCORR).max()
            best = max(best, (2 * float(match) - float(inside.sum()), letter))
    return best[1]
