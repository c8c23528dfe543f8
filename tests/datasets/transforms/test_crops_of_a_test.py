"""The host's crops of a test lie where the published ones do."""
import json
from unittest import mock

import numpy as np
import pytest
from common import GOLDEN
from mmaction.datasets.transforms import (CenterCrop, Resize, ThreeCrop,
                                          processing)

TABLES = json.loads((GOLDEN / 'frame_sampling.json').read_text())['tables']
ROWS = [row for row in TABLES['test_crops'] if row['num_crop'] in (1, 3)]


def starts(step, row: dict) -> list:
    """Return the offsets of the crops along the longer side, sorted.

    Each pixel holds its place, so a crop's first pixel tells the offset.
    """
    height, width = row['height'], row['width']
    y, x = np.mgrid[:height, :width].astype(np.float32)
    frame = np.stack([y, x, x], axis=-1)
    results = dict(imgs=[frame], img_shape=(height, width), modality='RGB')
    crops = step(results)['imgs']
    channel = 0 if row['axis'] == 'height' else 1
    return sorted(int(crop[0, 0, channel]) for crop in crops)


def test_there_are_rows() -> None:
    assert {row['axis'] for row in ROWS} == {'height', 'width'}


@pytest.mark.parametrize('row', ROWS)
def test_crops(row: dict) -> None:
    side = row['short_side']
    cls = ThreeCrop if row['num_crop'] == 3 else CenterCrop
    found = starts(cls(side), row)
    assert len(found) == row['num_crop']
    np.testing.assert_allclose(found, sorted(row['starts']), atol=1)


@pytest.mark.parametrize('size', [(340, 256), (256, 340), (227, 511),
                                  (224, 224)])
def test_short_side_of_a_resize(size: tuple) -> None:
    """Bilinear, the long side at most one pixel longer than published."""
    width, height = size
    frame = np.zeros((height, width, 3), np.uint8)
    results = dict(imgs=[frame], img_shape=(height, width), modality='RGB')
    with mock.patch.object(
            processing.mmcv, 'imresize',
            wraps=processing.mmcv.imresize) as resize:
        found = Resize((-1, 224))(results)['imgs'][0].shape[:2]
    assert min(found) == 224
    published = int(224 * max(size) / min(size))
    assert 0 <= max(found) - published <= 1
    assert resize.call_args.kwargs['interpolation'] == 'bilinear'
