"""Picture of mask, attention and alignment in masked distillation."""
import random
from contextlib import contextmanager
from typing import Any, Iterator, List, NamedTuple, Tuple

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from .text import write_line

FRAME_SIDE = 96  # least height of a drawn frame, in pixels
MARGIN = 150  # width of the column of names, in pixels
GAP = 4  # between frames, in pixels
DIMMED = 0.2  # brightness of patches invisible to the student
GREY = 0.15  # share of the frame below colours: little, or white looks yellow
COSINES = 'blue <= 0, yellow 1'  # legend of the colours of a cosine


class AlignmentPicture(NamedTuple):
    """Hold the parts of a picture of a clip, as numpy arrays.

    Args:
        frames (np.ndarray): RGB, shape (t, height, width, 3), uint8.
        mask (np.ndarray): True = dropped, bool, shape (t, h, w).
        attention (np.ndarray): Of the teacher, shape (t, h, w).
        seen (np.ndarray): Cosine of student and teacher at each visible
            patch, NaN elsewhere, shape (t, h, w).
        whole (np.ndarray): The cosine at every patch for a student without
            mask, shape (t, h, w).
    """
    frames: np.ndarray
    mask: np.ndarray
    attention: np.ndarray
    seen: np.ndarray
    whole: np.ndarray


def _tint(frame: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Lay values in [0, 1] over a frame; NaN leaves the frame dark."""
    size = frame.shape[1::-1]
    known = cv2.resize(
        (~np.isnan(values)).astype(np.uint8),
        size,
        interpolation=cv2.INTER_NEAREST)[..., None]
    levels = (np.nan_to_num(values).clip(0, 1) * 255).astype(np.uint8)
    levels = cv2.resize(levels, size, interpolation=cv2.INTER_NEAREST)
    colours = cv2.applyColorMap(levels, cv2.COLORMAP_VIRIDIS)[..., ::-1]
    grey = frame.mean(-1, keepdims=True)
    mixed = np.where(known, (1 - GREY) * colours + GREY * grey, DIMMED * grey)
    return mixed.astype(np.uint8)


def _dim(frame: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Darken the dropped patches."""
    dropped = cv2.resize(
        mask.astype(np.uint8),
        frame.shape[1::-1],
        interpolation=cv2.INTER_NEAREST)[..., None]
    return np.where(dropped, DIMMED * frame, frame).astype(np.uint8)


def _row(frames: List[np.ndarray], lines: Tuple[str, ...]) -> np.ndarray:
    """Put frames side by side, after a column of text."""
    height = frames[0].shape[0]
    column = np.full((height, MARGIN, 3), 255, np.uint8)
    for i, line in enumerate(lines):
        write_line(column, line, (6, 20 + 18 * i), colour=(0, 0, 0))
    gap = np.full((height, GAP, 3), 255, np.uint8)
    parts = [column]
    for frame in frames:
        parts += [frame, gap]
    return np.concatenate(parts, axis=1)


def draw_alignment(clip: AlignmentPicture) -> np.ndarray:
    """Draw the frames of a clip, and four rows below them.

    The patches visible to the student; the teacher's attention, 1 at the
    brightest patch of the clip; the cosine of student and teacher at the
    visible patches; the cosine at all patches for a student without mask.
    Colours run from 0, or less, (dark blue) to 1 (yellow); the column of
    names says so.

    Args:
        clip (AlignmentPicture): The parts.

    Returns:
        np.ndarray: RGB, shape (h, w, 3), uint8.
    """
    scale = max(1., FRAME_SIDE / clip.frames.shape[1])
    t = len(clip.mask)
    # Of a tubelet only the first frame is drawn.
    frames = [
        cv2.resize(f, None, fx=scale, fy=scale)
        for f in clip.frames[::len(clip.frames) // t]
    ]
    # Attention of zeros stays zero.
    attention = clip.attention / max(clip.attention.max(), 1e-12)
    seen = np.nanmean(clip.seen)
    rows = [
        _row(frames, ('frames', )),
        _row([_dim(f, m) for f, m in zip(frames, clip.mask)],
             ('student sees', f'{1 - clip.mask.mean():.0%} of patches')),
        _row([_tint(f, a) for f, a in zip(frames, attention)],
             ('teacher', 'attention', 'blue 0, yellow max')),
        _row([_tint(f, c) for f, c in zip(frames, clip.seen)],
             ('cosine, visible', f'mean {seen:.3f}', COSINES)),
        _row([_tint(f, c) for f, c in zip(frames, clip.whole)],
             ('cosine, no mask', f'mean {clip.whole.mean():.3f}', COSINES)),
    ]
    gap = np.full((GAP, rows[0].shape[1], 3), 255, np.uint8)
    return np.concatenate([part for row in rows for part in (row, gap)])


@contextmanager
def undisturbed(model: nn.Module) -> Iterator[None]:
    """Evaluate a model; restore modes and random generators afterwards.

    Args:
        model (nn.Module): In training or in evaluation mode.
    """
    modes = [(m, m.training) for m in model.modules()]
    # fork_rng restores the generators of torch alone.
    states = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng():
            model.eval()
            yield
    finally:
        for module, mode in modes:
            module.training = mode
        random.setstate(states[0])
        np.random.set_state(states[1])


def picture_of(model: nn.Module, inputs: Tensor,
               data_sample: object) -> np.ndarray:
    """Draw a sample of a data batch.

    Args:
        model (nn.Module): A ``UMT``.
        inputs (Tensor): Clip of a sample, RGB, shape (1, 3, t, h, w), uint8.
        data_sample (BaseDataElement): With ``mask`` if the model takes masks
            from the data.

    Returns:
        np.ndarray: See ``draw_alignment``.
    """
    preprocess: Any = model.data_preprocessor
    explain: Any = model.explain
    data = dict(inputs=[inputs], data_samples=[data_sample])
    with undisturbed(model):
        data = preprocess(data, False)
        seen = explain(**data)
        whole = explain(**data, masked=False)
    frames = inputs[0].permute(1, 2, 3, 0).cpu().numpy().astype(np.uint8)
    parts = (seen.mask, seen.attention, seen.similarity, whole.similarity)
    return draw_alignment(
        AlignmentPicture(frames, *(p[0].cpu().numpy() for p in parts)))
