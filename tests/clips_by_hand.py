"""Clips from draws, by the reference transforms."""
from typing import List, Optional, Sequence

import cv2
import numpy as np
import torch
from PIL import Image
from torch import Tensor

from mmvideomamba.datasets.transforms.clip_rand_augment import OPERATIONS
from mmvideomamba.ops.clip_augment import ClipDraws, decode

MODES = dict(bilinear=cv2.INTER_LINEAR, bicubic=cv2.INTER_CUBIC)


def changed(frames: np.ndarray, draws: ClipDraws) -> List[np.ndarray]:
    """Apply the operations of RandAugment to frames, (t, h, w, 3), uint8."""
    images = [Image.fromarray(frame) for frame in frames]
    for name, strength in draws.operations:
        _, operation = OPERATIONS[name]
        images = [operation(x, strength, draws.fill) for x in images]
    return [np.array(x) for x in images]


def clip_by_hand(frames: np.ndarray, draws: ClipDraws) -> np.ndarray:
    """Make a clip, all but the noise: 0 is put in the erased box.

    Args:
        frames (np.ndarray): Shape (t, h, w, 3), uint8.
        draws (ClipDraws): Of the clip.

    Returns:
        np.ndarray: Shape (t, size, size, 3), float32.
    """
    left, top, right, bottom = draws.box
    clip = []
    for frame in changed(frames, draws):
        box = frame[top:bottom, left:right]
        if not draws.rounded:
            box = box.astype(np.float32)
        clip.append(
            cv2.resize(
                box,
                draws.size[::-1],
                interpolation=MODES[draws.interpolation]).astype(np.float32))
    found = np.stack(clip)
    if draws.flip:
        found = found[:, :, ::-1].copy()
    if draws.erase is not None:
        y, x, height, width = draws.erase
        found[:, y:y + height, x:x + width] = 0
    return found


def clips_by_hand(frames: Sequence[Tensor],
                  draws: Tensor,
                  shared: Optional[Sequence[int]] = None,
                  backend: str = 'auto') -> Tensor:
    """Stand in for ``clip_augment`` on a CPU."""
    clips, last = [], None
    for one, row in zip(frames, draws):
        last = one.numpy() if len(one) else last
        assert last is not None
        clips.append(torch.from_numpy(clip_by_hand(last, decode(row))))
    return torch.stack(clips).permute(0, 4, 1, 2, 3).contiguous()
