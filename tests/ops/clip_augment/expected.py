"""Frames, draws, and clips made of both by PIL and OpenCV."""
from typing import Any, Sequence, Tuple

import numpy as np
import torch
from clips_by_hand import clip_by_hand
from torch import Tensor

from mmvideomamba.ops.clip_augment import ClipDraws, clip_augment, encode

MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
# A strength of each operation, with either sign for half of them.
STRENGTHS = dict(
    AutoContrast=0,
    Equalize=0,
    Invert=0,
    Rotate=-20.7,
    Posterize=2,
    Solarize=77,
    SolarizeAdd=76,
    Color=0.37,
    Contrast=1.63,
    Brightness=1.61,
    Sharpness=0.35,
    ShearX=0.213,
    ShearY=-0.207,
    TranslateX=-0.3137,
    TranslateY=0.2911)


def make_frames(t: int, h: int, w: int, seed: int = 0) -> Tensor:
    """Return frames with smooth and rough places, (t, h, w, 3), uint8."""
    random = np.random.default_rng(seed)
    time, y, x, c = np.mgrid[:t, :h, :w, :3]
    waves = 130 + 70 * np.sin(x / 9 + y / 13 + c + time + seed)
    waves += 35 * np.cos(y / 3 - x / 4 + c)
    rough = random.normal(0, 6, waves.shape) * (x > w // 2)
    return torch.from_numpy(np.clip(waves + rough, 8, 250).astype(np.uint8))


def make_draws(frames: Tensor, **changes: Any) -> ClipDraws:
    """Return draws without any change but ``changes``."""
    h, w = frames.shape[1:3]
    fields = dict(
        operations=(),
        fill=(128, 127, 3),
        box=(0, 0, w, h),
        size=(h, w),
        rounded=True,
        interpolation='bilinear',
        flip=False,
        erase=None,
        noise_mean=MEAN,
        noise_std=STD,
        seed=1)
    return ClipDraws(**{**fields, **changes})


def augment(frames: Sequence[Tensor], draws: Sequence[ClipDraws],
            device: torch.device, **options: Any) -> Tensor:
    """Call the op; return the result on the CPU."""
    rows = torch.stack([encode(drawn) for drawn in draws])
    out = clip_augment([x.to(device) for x in frames], rows, **options)
    return out.cpu()


def expected(frames: Tensor, draws: ClipDraws) -> Tensor:
    """Return a clip made by PIL and OpenCV, without noise: (3, t, h, w)."""
    clip = clip_by_hand(frames.numpy(), draws._replace(erase=None))
    return torch.from_numpy(clip).permute(3, 0, 1, 2)


def kept(draws: ClipDraws) -> Tensor:
    """Mark the pixels without noise, (h, w)."""
    keep = torch.ones(draws.size, dtype=torch.bool)
    if draws.erase is not None:
        top, left, height, width = draws.erase
        keep[top:top + height, left:left + width] = False
    return keep


def errors(clip: Tensor, frames: Tensor, draws: ClipDraws) -> Tensor:
    """Return the differences of a clip's pixels without noise."""
    wanted = expected(frames, draws)
    assert clip.shape == wanted.shape
    return (clip - wanted)[..., kept(draws)].abs()


def close(error: Tensor) -> Tuple[bool, str]:
    """Tell whether 99.9 % lie within a grey level; NaN counts as wrong."""
    share = (error <= 1.001).double().mean().item()
    return share >= 0.999, f'{share:.5f} within one level, to {error.max()}'
