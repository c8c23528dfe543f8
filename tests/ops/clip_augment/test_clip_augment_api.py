"""Clips by the kernels, against PIL and OpenCV."""
import pytest
import torch
from ops.clip_augment.expected import (MEAN, STD, STRENGTHS, augment, close,
                                       errors, expected, make_draws,
                                       make_frames)

from mmvideomamba.ops.clip_augment import (clip_augment, clip_augment_support,
                                           encode)

NONE = torch.empty(0, 17, 18, 3, dtype=torch.uint8)


@pytest.fixture(params=['triton'])
def device() -> torch.device:
    """Return a device of the only backend; skip without any."""
    reason = ''
    for name in ('cuda', 'cpu'):
        reason = clip_augment_support(name)
        if not reason:
            return torch.device(name)
    pytest.skip(reason)


def test_each_operation(device):
    frames = make_frames(1, 17, 18)
    draws = [make_draws(frames, operations=(o, )) for o in STRENGTHS.items()]
    clips = augment([frames] + [NONE] * (len(draws) - 1), draws, device)
    plain = expected(frames, make_draws(frames))
    for clip, drawn in zip(clips, draws):
        good, message = close(errors(clip, frames, drawn))
        assert good, f'{drawn.operations}: {message}'
        changed = (clip - plain).abs() > 1
        assert changed.double().mean() > 0.05, drawn.operations


def test_frames_without_contrast(device):
    """Statistics of a single value leave a frame unchanged."""
    frames = torch.full((1, 5, 7, 3), 9, dtype=torch.uint8)
    names = ('AutoContrast', 'Equalize', 'Contrast')
    draws = [make_draws(frames, operations=((n, 0.3), )) for n in names]
    clips = augment([frames, frames[:0], frames[:0]], draws, device)
    for clip, drawn in zip(clips, draws):
        assert errors(clip, frames, drawn).max() == 0, drawn.operations


def test_clips_of_many_sizes_with_several_operations(device):
    """Also: a clip with the frames of a later entry."""
    frames = [make_frames(2, h, w, h) for h, w in ((20, 24), (33, 9))]
    several = tuple((n, STRENGTHS[n])
                    for n in ('Contrast', 'Rotate', 'Sharpness', 'Equalize'))
    options = dict(size=(12, 14), rounded=False)
    own = [0, 1, 1, 0]
    draws = [
        make_draws(frames[0], operations=several[1:], **options),
        make_draws(frames[1], box=(1, 4, 9, 30), flip=True, **options),
        make_draws(frames[1], operations=several[::-1], **options),
        make_draws(frames[0], operations=several[:1], **options),
    ]
    clips = augment([frames[0], NONE, frames[1], NONE],
                    draws,
                    device,
                    shared=[0, 2, 2, 0])
    for i, (clip, drawn) in enumerate(zip(clips, draws)):
        good, message = close(errors(clip, frames[own[i]], drawn))
        assert good, f'clip {i}: {message}'


@pytest.mark.parametrize('size', [(11, 9), (19, 30)])
@pytest.mark.parametrize('rounded, interpolation, limit',
                         [(False, 'bilinear', 1e-3), (False, 'bicubic', 1e-3),
                          (True, 'bilinear', 1.), (True, 'bicubic', 1.)])
def test_crop(device, rounded, interpolation, limit, size):
    frames = make_frames(1, 20, 24)
    drawn = make_draws(
        frames,
        box=(3, 2, 21, 17),
        size=size,
        rounded=rounded,
        interpolation=interpolation,
        flip=True)
    clip, = augment([frames], [drawn], device)
    error = errors(clip, frames, drawn)
    assert error.max() <= limit
    # OpenCV's bits are kept almost everywhere.
    assert error.mean() < 0.01


def test_noise(device):
    frames = make_frames(2, 20, 24)
    first = make_draws(
        frames, size=(24, 30), erase=(4, 7, 20, 23), rounded=False, seed=5)
    other = first._replace(seed=6)
    clips = augment([frames, frames], [first, other], device)
    swapped = augment([frames, frames], [other, first], device)
    assert clips.equal(swapped.flip(0))
    assert errors(clips[0], frames, first).max() < 1e-3
    noise = clips[:, :, :, 4:24, 7:30]
    # Drawn anew for each clip, colour, frame and pixel.
    assert noise.unique().numel() > 0.99 * noise.numel()
    for c in range(3):
        z = (noise[:, c].double() - MEAN[c]) / STD[c]
        assert abs(z.mean()) < 4 / z.numel()**0.5
        assert abs(z.std() - 1) < 4 / (2 * z.numel())**0.5
        assert 0.6 < (z.abs() < 1).double().mean() < 0.76
    assert abs(torch.corrcoef(noise.flatten(2).flatten(0, 1)) -
               torch.eye(6)).max() < 0.2


FRAMES = make_frames(2, 16, 15)
DRAWS = make_draws(FRAMES)


@pytest.mark.parametrize('frames, changes, message', [
    ([], {}, 'at least one clip'),
    ([FRAMES.float()], {}, r'frames\[0\] must be uint8'),
    ([FRAMES[..., :2]], {}, r'frames\[0\] must have shape'),
    ([FRAMES.transpose(1, 2)], {}, 'contiguous'),
    ([FRAMES.to('meta')], {}, 'is on cpu, but'),
    ([NONE], {}, 'no entry before'),
    ([FRAMES, FRAMES[:1]], {}, 'clip 1 has 1 and clip 0 has 2'),
    ([FRAMES], dict(box=(0, 0, 16, 16)), 'box of clip 0'),
    ([FRAMES], dict(size=(10**5, 10**5)), 'too large'),
])
def test_arguments_that_do_not_fit(frames, changes, message):
    rows = encode(DRAWS._replace(**changes)).expand(max(1, len(frames)), -1)
    if 'is on' in message:
        frames, rows = [*frames, FRAMES], rows.expand(2, -1)
    with pytest.raises(ValueError, match=message):
        clip_augment(frames, rows)


def test_draws_that_do_not_fit():
    rows = torch.stack([encode(DRAWS), encode(DRAWS._replace(size=(4, 4)))])
    two = [FRAMES, FRAMES]
    with pytest.raises(ValueError, match='clip 1 has'):
        clip_augment(two, rows)
    with pytest.raises(ValueError, match='draws must have shape'):
        clip_augment(two, rows[:1])
    with pytest.raises(ValueError, match='draws must have shape'):
        clip_augment(two, rows.float())
    with pytest.raises(ValueError, match='1 entries for 2 clips'):
        clip_augment(two, rows, shared=[0])
    with pytest.raises(ValueError, match=r'shared\[1\] is 2'):
        clip_augment(two, rows, shared=[0, 2])
    with pytest.raises(ValueError, match="'numba'"):
        clip_augment(two, rows, backend='numba')


def test_a_device_without_kernels_is_refused():
    reason = clip_augment_support('cpu')
    if not reason:
        pytest.skip('the interpreter runs the kernels here')
    with pytest.raises(RuntimeError, match='cannot run here'):
        clip_augment([FRAMES], encode(DRAWS)[None])
