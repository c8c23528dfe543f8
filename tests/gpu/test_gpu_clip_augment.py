"""Clips at real sizes on a GPU, against PIL and OpenCV.

Small clips are in tests/ops/clip_augment, which runs on a GPU as well.
"""
from typing import List, Tuple

import numpy as np
import pytest
import torch
from gpu_marks import DEVICE, GPU_ONLY
from ops.clip_augment.expected import (augment, close, errors, expected,
                                       make_draws, make_frames)
from torch import Tensor
from torch.profiler import ProfilerActivity, profile
from torchvision.transforms import RandomErasing, RandomResizedCrop

from mmvideomamba.datasets.transforms import ClipRandAugment
from mmvideomamba.datasets.transforms.clip_rand_augment import OPERATIONS
from mmvideomamba.ops.clip_augment import ClipDraws, clip_augment, encode

pytestmark = GPU_ONLY

# Heights and widths of frames.
SIZES = [(256, 340), (340, 256), (240, 320), (240, 426)]
# As in the recipes: RandAugment's clips, and the hosts' rounded crops.
KINDS = [(False, 'bilinear'), (True, 'bilinear'), (True, 'bicubic')]
MOST_LAYERS = 4


def draw(frames: Tensor, rounded: bool, interpolation: str) -> ClipDraws:
    """Draw all choices of a clip of 224 x 224 pixels."""
    h, w = frames.shape[1:3]
    like = torch.empty(1, h, w, device='meta')
    top, left, height, width = RandomResizedCrop.get_params(
        like, [0.08, 1.], [3 / 4, 4 / 3])
    erase = RandomErasing.get_params(
        torch.empty(1, 224, 224, device='meta'), [0.02, 1 / 3], [0.3, 1 / 0.3],
        None)[:4]
    return make_draws(
        frames,
        operations=tuple(ClipRandAugment(num_layers=MOST_LAYERS).draw()),
        box=(left, top, left + width, top + height),
        size=(224, 224),
        rounded=rounded,
        interpolation=interpolation,
        flip=bool(np.random.rand() < 0.5),
        erase=erase if np.random.rand() < 0.25 else None,
        seed=int(np.random.randint(2**31)))


def make_batch(clips: int,
               rounded: bool = False,
               interpolation: str = 'bilinear',
               seed: int = 0) -> Tuple[List[Tensor], List[ClipDraws]]:
    """Return frames of several sizes, two clips of each video, and draws."""
    np.random.seed(seed)
    torch.manual_seed(seed)
    frames = []
    videos = [make_frames(8, h, w, seed=w + h) for h, w in SIZES]
    for i in range(clips // 2):
        frames += [videos[i % len(videos)]] * 2
    return frames, [draw(x, rounded, interpolation) for x in frames]


@pytest.mark.parametrize('level', [3., 7., 10.])
def test_each_operation(level):
    np.random.seed(int(level))
    frames = make_frames(8, 256, 340)
    draws = [
        make_draws(frames, operations=((name, strength(level)), ))
        for name, (strength, _) in OPERATIONS.items()
    ]
    none = [frames[:0]] * (len(draws) - 1)
    plain = expected(frames, make_draws(frames))
    clips = augment([frames, *none], draws, DEVICE)
    for clip, drawn in zip(clips, draws):
        error = errors(clip, frames, drawn)
        good, message = close(error)
        assert good, f'{drawn.operations}: {message}'
        # Roundings equal PIL's almost everywhere; a shift by whole pixels
        # interpolates at nearly whole positions, and truncation may give the
        # next lower level.
        most = 0.4 if drawn.operations[0][0].startswith('Translate') else 0.02
        assert (error > 0).double().mean() < most, drawn.operations
        assert not clip.equal(plain), drawn.operations


@pytest.mark.parametrize('rounded, interpolation', KINDS)
def test_random_draws(rounded, interpolation):
    frames, draws = make_batch(64, rounded, interpolation)
    sent = [x if i % 2 == 0 else x[:0] for i, x in enumerate(frames)]
    clips = augment(sent, draws, DEVICE)
    found = [errors(*each) for each in zip(clips, frames, draws)]
    good, message = close(torch.cat([error.flatten() for error in found]))
    assert good, message
    shares = [(error <= 1.001).double().mean().item() for error in found]
    worst = int(np.argmin(shares))
    # A difference of one grey level in a table may be amplified by later
    # operations.
    assert shares[worst] > 0.99, f'{shares[worst]}: {draws[worst]}'


def test_the_same_bits_in_any_batch():
    frames, draws = make_batch(16)
    once = augment(frames, draws, DEVICE)
    assert once.equal(augment(frames, draws, DEVICE))
    assert once.flip(0).equal(augment(frames[::-1], draws[::-1], DEVICE))
    alone = augment(frames[3:4], draws[3:4], DEVICE)
    assert alone.equal(once[3:4])


def test_noise():
    frames, draws = make_batch(2)
    drawn = draws[0]._replace(erase=(10, 20, 150, 160))
    clip, = augment(frames[:1], [drawn], DEVICE)
    for c in range(3):
        z = clip[c, :, 10:160, 20:180].double() - drawn.noise_mean[c]
        z /= drawn.noise_std[c]
        assert abs(z.mean()) < 4 / z.numel()**0.5
        assert abs(z.std() - 1) < 4 / (2 * z.numel())**0.5
        assert abs((z.abs() < 1).double().mean() - 0.6827) < 0.005


def test_launches_and_waits():
    frames, draws = make_batch(32)
    layers = max(len(d.operations) for d in draws)
    assert layers > 1
    frames = [x.to(DEVICE) for x in frames]
    rows = torch.stack([encode(drawn) for drawn in draws])
    clip_augment(frames, rows)
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode('error')
    try:
        clip_augment(frames, rows)
    finally:
        torch.cuda.set_sync_debug_mode('default')
    with profile(
            activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as seen:
        clip_augment(frames, rows)
        torch.cuda.synchronize()
    kernels = [
        event.name for event in seen.events()
        if event.device_type == torch.autograd.DeviceType.CUDA
        and not event.name.startswith('Memcpy')
    ]
    assert layers < len(kernels) <= 4 * layers + 2, kernels


def test_very_long_clip():
    """Offsets in a clip beyond 32 bits."""
    last = make_frames(1, 1080, 1920)
    frames = torch.zeros(360, 1080, 1920, 3, dtype=torch.uint8, device=DEVICE)
    frames[-1] = last[0]
    assert frames.numel() > 2**31
    names = dict(Rotate=11., Contrast=1.4, Sharpness=0.5)
    drawn = make_draws(last, operations=tuple(names.items()), size=(224, 224))
    clip, = clip_augment([frames], encode(drawn)[None])
    good, message = close(errors(clip[:, -1:].cpu(), last, drawn))
    assert good, message
