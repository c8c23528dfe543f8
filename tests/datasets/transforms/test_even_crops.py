"""The crops of a test lie where the published ones do."""
import json

import numpy as np
import pytest
from common import GOLDEN
from mmaction.datasets.transforms import CenterCrop

from mmvideomamba.datasets.transforms import EvenCrops

TABLES = json.loads((GOLDEN / 'frame_sampling.json').read_text())['tables']
ROWS = TABLES['test_crops']


def sample(height: int, width: int, frames: int = 1) -> dict:
    """Return frames with the pixel values (row, row, column)."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    imgs = [np.stack([y, y, x], axis=-1) for i in range(frames)]
    return dict(imgs=imgs, img_shape=(height, width), modality='RGB')


def starts(step, row: dict) -> list:
    """Return the offsets of the crops along the longer side, in order."""
    crops = step(sample(row['height'], row['width']))['imgs']
    channel = 1 if row['axis'] == 'height' else 2
    return [int(crop[0, 0, channel]) for crop in crops]


def test_there_are_rows() -> None:
    assert {row['axis'] for row in ROWS} == {'height', 'width'}
    assert {row['num_crop'] for row in ROWS} >= {1, 3, 5}


@pytest.mark.parametrize('row', ROWS)
def test_crops(row: dict) -> None:
    step = EvenCrops(row['short_side'], row['num_crop'])
    assert starts(step, row) == row['starts']


@pytest.mark.parametrize('width, start', [(224, 0), (225, 0), (226, 1),
                                          (227, 2), (229, 2)])
def test_crop_of_a_validation(width: int, start: int) -> None:
    """Halves go to the even number, in the host's crop down."""
    row = dict(height=224, width=width, axis='width')
    assert starts(EvenCrops(224, 1), row) == [start]
    assert starts(CenterCrop(224), row) == [(width - 224) // 2]


def test_frames_of_a_crop_stand_together() -> None:
    results = sample(6, 10, frames=2)
    for i, frame in enumerate(results['imgs']):
        frame[..., 0] = i
    found = EvenCrops(6, 2)(results)
    assert [int(f[0, 0, 0]) for f in found['imgs']] == [0, 1, 0, 1]
    assert [int(f[0, 0, 2]) for f in found['imgs']] == [0, 0, 4, 4]
    assert found['img_shape'] == (6, 6)
    assert found['crop_bbox'].tolist(
    ) == [[0, 0, 6, 6]] * 2 + [[4, 0, 10, 6]] * 2


def test_bad_crops() -> None:
    with pytest.raises(ValueError, match='num_crops must be at least 1'):
        EvenCrops(6, 0)
    with pytest.raises(
            ValueError,
            match='shorter side of 8 pixels, but the '
            'frames are 6 x 10'):
        EvenCrops(8)(sample(6, 10))
