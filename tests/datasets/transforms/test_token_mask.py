import numpy as np
import pytest
from mmaction.datasets.transforms import PackActionInputs

from mmvideomamba.datasets.transforms import TokenMask
from mmvideomamba.datasets.transforms.token_mask import KINDS
from mmvideomamba.registry import TRANSFORMS

GRID = (3, 5, 4)


def draw(kind: str, ratio: float = 0.7, count: int = 200) -> np.ndarray:
    transform = TokenMask(kind, ratio, GRID)
    masks = np.stack([transform(dict())['mask'] for _ in range(count)])
    assert masks.dtype == bool
    return masks.reshape(count, *GRID)


def test_tube() -> None:
    masks = draw('tube')
    assert (masks == masks[:, :1]).all()
    assert (masks[:, 0].sum((1, 2)) == int(0.7 * 20)).all()
    # Each position is dropped equally often.
    assert abs(masks[:, 0].mean(0) - 0.7).max() < 0.15


def test_random() -> None:
    masks = draw('random')
    assert (masks.sum((1, 2, 3)) == int(0.7 * 60)).all()
    assert (masks[:, 0] != masks[:, 1]).any()
    assert abs(masks.mean(0) - 0.7).max() < 0.15


def test_tube_row() -> None:
    masks = draw('tube_row')
    rows = masks[..., 0]
    assert (masks == rows[..., None]).all()
    assert (rows.sum(2) == int(0.7 * 5)).all()
    # Not the same in all frames.
    assert (rows[:, 0] != rows[:, 1]).any(1).mean() > 0.5


def test_random_row() -> None:
    masks = draw('random_row')
    rows = masks[..., 0]
    assert (masks == rows[..., None]).all()
    assert (rows.sum((1, 2)) == 3 * int(0.7 * 5)).all()
    assert (rows.sum(2) != int(0.7 * 5)).any()


@pytest.mark.parametrize('kind', KINDS)
def test_same_seed_same_mask(kind: str) -> None:
    np.random.seed(3)
    first = draw(kind, count=3)
    np.random.seed(3)
    assert (draw(kind, count=3) == first).all()


def test_reaches_the_data_sample() -> None:
    sample = dict(imgs=np.zeros((1, 3, 2, 4, 4), np.uint8))
    transform = TRANSFORMS.build(
        dict(type='mmvideomamba.TokenMask', kind='tube', grid=GRID))
    packed = PackActionInputs(algorithm_keys=('mask', ))(transform(sample))
    assert (packed['data_samples'].mask == sample['mask']).all()


@pytest.mark.parametrize('change,text', [
    (dict(kind='attention'), "kind .*'tube'.*got 'attention'"),
    (dict(grid=(3, 5)), r'grid .*\(3, 5\)'),
    (dict(grid=(0, 5, 4)), r'grid .*\(0, 5, 4\)'),
    (dict(mask_ratio='0.8'), "mask_ratio of TokenMask .*got '0.8'"),
    (dict(mask_ratio=None), 'mask_ratio of TokenMask .*got None'),
    (dict(mask_ratio=float('nan')), 'mask_ratio of TokenMask .*got nan'),
    (dict(mask_ratio=0.01), 'drops 0 of 20 tokens'),
    (dict(mask_ratio=1), 'drops 20 of 20 tokens'),
    (dict(kind='random', mask_ratio=0.01), 'drops 0 of 60 tokens'),
    (dict(kind='tube_row', mask_ratio=0.1), 'drops 0 of 5 rows'),
    (dict(kind='random_row', mask_ratio=1.0), 'drops 15 of 15 rows'),
])
def test_bad_arguments(change: dict, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        TokenMask(**{**dict(kind='tube', grid=GRID), **change})
