"""Crop and erasing on unrounded pixels, with one box for the clip."""
from typing import Iterator, List

import numpy as np
import pytest
import torch
from mmaction.datasets.transforms import Flip, FormatShape
from torch.nn import functional

from mmvideomamba.datasets.transforms import (ClipRandomErasing,
                                              ClipRandomResizedCrop)
from mmvideomamba.datasets.transforms.clip_crop_erase import MEAN, STD
from mmvideomamba.registry import TRANSFORMS


def frames(count: int = 3, height: int = 48, width: int = 64) -> list:
    return [
        np.random.randint(0, 256, (height, width, 3)).astype(np.uint8)
        for _ in range(count)
    ]


def normalised(clip: np.ndarray) -> torch.Tensor:
    """Return (frames, 3, h, w) normalised as for the model."""
    pixels = (np.stack(clip) - np.array(MEAN)) / np.array(STD)
    return torch.from_numpy(pixels).permute(0, 3, 1, 2)


def crops(count: int, size: tuple, **kwargs) -> Iterator[np.ndarray]:
    transform = ClipRandomResizedCrop(4, **kwargs)
    frame = np.zeros((*size, 3), np.uint8)
    for _ in range(count):
        yield transform(dict(imgs=[frame]))['crop_bbox']


@pytest.mark.parametrize('scale', [16, 80])
def test_equals_a_crop_of_normalised_pixels(scale: int) -> None:
    clip = frames()
    for _ in range(5):
        results = ClipRandomResizedCrop(scale)(dict(imgs=list(clip)))
        left, top, right, bottom = results['crop_bbox']
        expected = functional.interpolate(
            normalised(clip)[..., top:bottom, left:right],
            size=(scale, scale),
            mode='bilinear',
            align_corners=False)
        found = results['imgs']
        assert found.dtype == np.float32
        assert found.shape == (3, scale, scale, 3)
        assert results['img_shape'] == (scale, scale)
        torch.testing.assert_close(
            normalised(found), expected, atol=1e-4, rtol=0)


def test_source_stays() -> None:
    clip = frames()
    before = np.stack(clip)
    results = ClipRandomResizedCrop(48, (1., 1.), (4 / 3, 4 / 3))(
        dict(imgs=clip, modality='RGB'))
    Flip(flip_ratio=1.)(results)
    np.testing.assert_array_equal(clip, before)


def test_boxes_are_spread_as_published() -> None:
    boxes = np.array(list(crops(3000, (200, 240))))
    left, top, right, bottom = boxes.T
    assert left.min() >= 0 and top.min() >= 0
    assert right.max() <= 240 and bottom.max() <= 200
    width, height = right - left, bottom - top
    ratio, share = width / height, width * height / 48_000
    assert 0.07 < share.min() and share.max() > 0.95
    # Uniform where every box fits.
    small = share[share < 0.45]
    assert small.mean() == pytest.approx((0.08 + 0.45) / 2, abs=0.02)
    assert np.abs(np.log(ratio)).max() < np.log(4 / 3) + 0.05
    assert np.log(ratio[share < 0.45]).mean() == pytest.approx(0, abs=0.03)


@pytest.mark.parametrize('size, expected', [
    ((10, 100), (13, 10)),
    ((100, 10), (10, 13)),
])
def test_box_of_a_narrow_frame_is_the_largest_in_the_middle(
        size: tuple, expected: tuple) -> None:
    for left, top, right, bottom in crops(5, size, area_range=(0.9, 1.)):
        assert (right - left, bottom - top) == expected
        assert abs(left + right - size[1]) <= 1
        assert abs(top + bottom - size[0]) <= 1


def erased(prob: float = 1., count: int = 3) -> np.ndarray:
    """Return normalised frames (count, h, w, 3): zero where not erased."""
    clip = np.broadcast_to(np.float32(MEAN), (count, 40, 60, 3)).copy()
    found = ClipRandomErasing(prob)(dict(imgs=clip))['imgs']
    return (found - np.float32(MEAN)) / np.float32(STD)


def test_one_box_with_new_noise_in_each_frame() -> None:
    noise: List[float] = []
    for _ in range(50):
        found = erased()
        hit = (found != 0).all(-1)
        assert (hit == hit[0]).all()
        rows, columns = np.where(hit[0])
        box = np.s_[:,
                    rows.min():rows.max() + 1,
                    columns.min():columns.max() + 1]
        assert hit[box].all() and hit.sum() == hit[box].size
        inside = found[box]
        assert not np.allclose(inside[0], inside[1])
        assert not np.allclose(inside[..., 0], inside[..., 1])
        noise.extend(inside.ravel())
    assert np.mean(noise) == pytest.approx(0, abs=0.02)
    assert np.std(noise) == pytest.approx(1, abs=0.02)
    assert np.abs(noise).max() > 3.5  # not clipped


def test_boxes_of_erasing() -> None:
    shares, ratios, ends = [], [], set()
    for _ in range(600):
        rows, columns = np.where((erased(count=1)[0] != 0).all(-1))
        height = rows.max() - rows.min() + 1
        width = columns.max() - columns.min() + 1
        shares.append(height * width / 2400)
        ratios.append(np.log(height / width))
        ends.update((rows.max() == 39, columns.max() == 59))
    assert 0.01 < min(shares) and max(shares) < 0.36
    assert np.mean(shares) == pytest.approx((0.02 + 1 / 3) / 2, abs=0.02)
    assert np.abs(ratios).max() < np.log(1 / 0.3) + 0.15
    assert True in ends


def test_no_box_fits() -> None:
    """Squares of nine tenths of the area do not fit into a strip."""
    imgs = np.zeros((2, 3, 90, 3), np.float32)
    step = ClipRandomErasing(1., (0.9, 0.95), (1., 1.))
    assert not step(dict(imgs=imgs.copy()))['imgs'].any()


@pytest.mark.parametrize('prob', [0., 0.25])
def test_chance_of_erasing(prob: float) -> None:
    hits = [(erased(prob, count=1) != 0).any() for _ in range(800)]
    assert np.mean(hits) == pytest.approx(prob, abs=0.06)


def test_clip_reaches_the_model_in_float() -> None:
    results = dict(imgs=frames(4), num_clips=1, clip_len=4)
    results = FormatShape('NCTHW')(ClipRandomResizedCrop(16)(results))
    assert results['imgs'].shape == (1, 3, 4, 16, 16)
    assert results['imgs'].dtype == np.float32


@pytest.mark.parametrize('options, text', [
    (dict(scale=0), 'scale .* 0'),
    (dict(area_range=(0., 1.)), r'area_range .*\(0.0, 1.0\)'),
    (dict(aspect_ratio_range=(2., 1.)), r'aspect_ratio_range .*\(2.0, 1.0\)'),
])
def test_arguments_of_the_crop_are_checked(options: dict, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        ClipRandomResizedCrop(**options)


def test_arguments_of_erasing_are_checked() -> None:
    with pytest.raises(ValueError, match='erase_prob .* 1.5'):
        ClipRandomErasing(1.5)
    with pytest.raises(ValueError, match='after ClipRandomResizedCrop'):
        ClipRandomErasing()(dict(imgs=frames()))


def test_built_by_their_config_names() -> None:
    for name in ('ClipRandomResizedCrop', 'ClipRandomErasing'):
        step = TRANSFORMS.build(dict(type=f'mmvideomamba.{name}'))
        assert repr(step).startswith(f'{name}(')
