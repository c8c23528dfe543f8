"""RandAugment: the published operations, the same for the whole clip."""
from collections import Counter, defaultdict
from typing import Dict, List

import numpy as np
import pytest
from PIL import Image

from mmvideomamba.datasets.transforms import ClipRandAugment
from mmvideomamba.datasets.transforms.clip_rand_augment import OPERATIONS
from mmvideomamba.registry import TRANSFORMS

# Largest strength in either direction at levels 0, 5 and 10.
STRENGTHS = {
    'AutoContrast': (0, 0, 0),
    'Equalize': (0, 0, 0),
    'Invert': (0, 0, 0),
    'Rotate': (0, 15, 30),
    'Posterize': (4, 2, 0),
    'Solarize': (256, 128, 0),
    'SolarizeAdd': (0, 55, 110),
    'Color': (1, 1.45, 1.9),
    'Contrast': (1, 1.45, 1.9),
    'Brightness': (1, 1.45, 1.9),
    'Sharpness': (1, 1.45, 1.9),
    'ShearX': (0, 0.15, 0.3),
    'ShearY': (0, 0.15, 0.3),
    'TranslateX': (0, 0.225, 0.45),
    'TranslateY': (0, 0.225, 0.45),
}
FACTORS = ('Color', 'Contrast', 'Brightness', 'Sharpness')
SIGNED = (*FACTORS, 'Rotate', 'ShearX', 'ShearY', 'TranslateX', 'TranslateY')


def frames(count: int = 4, size: tuple = (30, 40)) -> List[np.ndarray]:
    return [
        np.random.randint(0, 256, (*size, 3)).astype(np.uint8)
        for _ in range(count)
    ]


def apply(name: str, strength: float, image: np.ndarray) -> np.ndarray:
    _, operation = OPERATIONS[name]
    return np.array(
        operation(Image.fromarray(image), strength, (128, 128, 128)))


def draws(count: int, **kwargs) -> List[list]:
    transform = ClipRandAugment(**kwargs)
    return [transform.draw() for _ in range(count)]


def test_there_are_the_fifteen_operations() -> None:
    assert OPERATIONS.keys() == STRENGTHS.keys()
    assert len(OPERATIONS) == 15


@pytest.mark.parametrize('name', STRENGTHS)
def test_strength_at_a_level(name: str) -> None:
    of_level, _ = OPERATIONS[name]
    for level, high in zip((0, 5, 10), STRENGTHS[name]):
        found = sorted({of_level(level) for _ in range(40)})
        middle = 1 if name in FACTORS else 0
        low = 2 * middle - high if name in SIGNED else high
        expected = sorted({low, high})
        assert found == pytest.approx(expected), level


def test_operations_are_drawn_evenly_and_again() -> None:
    count = 6000
    drawn = draws(count, num_layers=4, prob=1)
    assert {len(ops) for ops in drawn} == {4}
    names = Counter(name for ops in drawn for name, _ in ops)
    expected = 4 * count / 15
    for name in OPERATIONS:
        assert abs(names[name] - expected) < 6 * expected**0.5, name
    # With replacement: 1 - 14 * 13 * 12 / 15^3 of the clips repeat an
    # operation.
    repeated = sum(len({name for name, _ in ops}) < 4 for ops in drawn)
    assert repeated / count == pytest.approx(
        1 - 14 * 13 * 12 / 15**3, abs=0.03)


@pytest.mark.parametrize('prob', [0, 0.5, 1])
def test_each_operation_has_its_chance(prob: float) -> None:
    drawn = draws(4000, num_layers=2, prob=prob)
    mean = np.mean([len(ops) for ops in drawn])
    assert mean == pytest.approx(2 * prob, abs=0.05)


@pytest.mark.parametrize('magnitude, std', [(7, 0.5), (5, 0.25), (9.9, 2.)])
def test_levels_are_normal_and_clipped(magnitude: float, std: float) -> None:
    levels: Dict[str, list] = defaultdict(list)
    for ops in draws(
            8000, num_layers=2, magnitude=magnitude, magnitude_std=std,
            prob=1):
        for name, strength in ops:
            levels[name].append(strength)
    found = np.abs(levels['Rotate']) / 3
    assert np.mean(np.array(levels['Rotate']) > 0) == pytest.approx(
        0.5, abs=0.07)
    assert found.max() <= 10
    clipped = np.clip(np.random.normal(magnitude, std, 100_000), 0, 10)
    assert found.mean() == pytest.approx(clipped.mean(), abs=0.2 * std)
    assert found.std() == pytest.approx(clipped.std(), abs=0.1 * std)


def test_all_frames_are_changed_alike() -> None:
    transform = ClipRandAugment(num_layers=3, prob=1)
    frame, = frames(1)
    for _ in range(30):
        found = transform(dict(imgs=[frame.copy() for _ in range(5)]))['imgs']
        assert all(np.array_equal(found[0], one) for one in found)


def test_frames_keep_their_kind_and_the_source_stays() -> None:
    clip = frames()
    before = [frame.copy() for frame in clip]
    for prob in (0, 1):
        found = ClipRandAugment(prob=prob)(dict(imgs=clip))['imgs']
        np.testing.assert_array_equal(clip, before)
        for one, source in zip(found, clip):
            assert one.shape == source.shape and one.dtype == np.uint8
            assert one.flags.writeable and not np.shares_memory(one, source)
        assert np.array_equal(found, clip) == (prob == 0)


def test_pixelwise_operations() -> None:
    image, = frames(1)
    wide = image.astype(int)
    expected = {
        ('Invert', 0):
        255 - wide,
        ('Posterize', 2):
        wide // 64 * 64,
        ('Posterize', 0):
        wide * 0,
        ('Solarize', 100):
        np.where(wide < 100, wide, 255 - wide),
        ('SolarizeAdd', 55):
        np.where(wide < 128, wide + 55, wide),
        ('SolarizeAdd', 200):
        np.where(wide < 128, np.minimum(255, wide + 200), wide),
    }
    for (name, strength), pixels in expected.items():
        np.testing.assert_array_equal(apply(name, strength, image), pixels)
    bright = apply('Brightness', 1.5, image)
    assert np.abs(bright - np.minimum(255, 1.5 * wide)).max() <= 1
    grey = apply('Color', 0., image)
    assert (grey[..., :1] == grey).all()
    np.testing.assert_array_equal(apply('Sharpness', 1., image), image)


@pytest.mark.parametrize('name, strength, rows, columns', [
    ('TranslateX', 0.25, slice(None), slice(31, None)),
    ('TranslateX', -0.25, slice(None), slice(0, 9)),
    ('TranslateY', 0.5, slice(16, None), slice(None)),
    ('TranslateY', -0.5, slice(0, 14), slice(None)),
])
def test_moved_frames_are_filled_with_grey(name: str, strength: float,
                                           rows: slice,
                                           columns: slice) -> None:
    found = apply(name, strength, np.full((30, 40, 3), 10, np.uint8))
    assert (found[rows, columns] == 128).all()
    assert (found == 10).mean() > 0.4


def test_geometry_is_bicubic_and_turns_around_the_middle() -> None:
    image = np.zeros((21, 21, 3), np.uint8)
    image[10, 15] = 255
    turned = apply('Rotate', 90., image)
    assert tuple(np.argwhere(turned[..., 0] > 200)[0]) == (5, 10)
    # The cubic kernel undershoots next to an edge, a linear kernel does not.
    edge = np.full((9, 20, 3), 50, np.uint8)
    edge[:, 10:] = 200
    assert apply('TranslateX', 0.025, edge).min() < 50


@pytest.mark.parametrize('name, value', [('magnitude', 11), ('magnitude', -1),
                                         ('num_layers', -1),
                                         ('magnitude_std', -1), ('prob', 1.5)])
def test_arguments_are_checked(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f'{name} .*{value}'):
        ClipRandAugment(**{name: value})


def test_built_by_its_config_name() -> None:
    step = TRANSFORMS.build(
        dict(type='mmvideomamba.ClipRandAugment', magnitude=5, num_layers=2))
    assert repr(step).startswith('ClipRandAugment(magnitude=5, num_layers=2')
