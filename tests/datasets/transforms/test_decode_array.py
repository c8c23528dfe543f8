"""The sampled frames are taken from an array."""
import numpy as np
import pytest

from mmvideomamba.registry import TRANSFORMS


@pytest.mark.parametrize('inds', [[2], [[0, 3], [3, 1]]])
def test_frames(inds: list) -> None:
    step = TRANSFORMS.build(dict(type='mmvideomamba.DecodeArray'))
    array = np.arange(4 * 2 * 5 * 3, dtype=np.uint8).reshape(4, 2, 5, 3)
    found = step(dict(array=array, frame_inds=np.array(inds)))
    flat = np.ravel(inds)
    np.testing.assert_array_equal(found['imgs'], array[flat])
    assert found['frame_inds'].tolist() == flat.tolist()
    assert found['img_shape'] == found['original_shape'] == (2, 5)
    assert repr(step) == 'DecodeArray()'
