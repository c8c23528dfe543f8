"""The longer side is cut off to whole pixels, the rest is the host's."""
from typing import Any, Dict

import cv2
import numpy as np
import pytest
from mmaction.datasets.transforms import Fuse, Resize

from mmvideomamba.datasets.transforms import ResizeShortEdge


def sample(height: int, width: int, **kwargs: Any) -> Dict[str, Any]:
    frame = np.random.default_rng(0).integers(0, 256, (height, width, 3))
    imgs = [frame.astype(np.uint8)]
    return dict(imgs=imgs, img_shape=(height, width), modality='RGB', **kwargs)


@pytest.mark.parametrize('height, width, side, expected', [
    (256, 340, 224, (224, 297)),
    (240, 320, 224, (224, 298)),
    (720, 1280, 224, (224, 398)),
    (720, 1280, 288, (288, 512)),
    (340, 256, 224, (297, 224)),
    (1280, 720, 384, (682, 384)),
    (224, 300, 224, (224, 300)),
    (100, 100, 224, (224, 224)),
])
def test_sizes(height: int, width: int, side: int, expected: tuple) -> None:
    before = sample(height, width)
    frame, = before['imgs']
    found = ResizeShortEdge(side)(before)
    assert found['img_shape'] == found['imgs'][0].shape[:2] == expected
    assert found['keep_ratio'] is True
    ratios = expected[1] / width, expected[0] / height
    np.testing.assert_allclose(found['scale_factor'], ratios, rtol=1e-6)
    resized = cv2.resize(frame, expected[::-1], interpolation=cv2.INTER_LINEAR)
    assert np.array_equal(found['imgs'][0], resized)
    # A clip of the right size keeps the pixels unchanged.
    assert np.array_equal(resized, frame) == ((height, width) == expected)


def test_keypoints_and_boxes_follow() -> None:
    points = np.array([[[[340., 256.], [170., 128.]]]])
    boxes = np.array([[0., 0., 340., 256.]])
    found = ResizeShortEdge(224)(
        sample(256, 340, keypoint=points, gt_bboxes=boxes, proposals=boxes))
    np.testing.assert_allclose(
        found['keypoint'][0, 0], [[297., 224.], [148.5, 112.]], rtol=1e-6)
    for key in ('gt_bboxes', 'proposals'):
        np.testing.assert_allclose(found[key], [[0, 0, 297, 224]], rtol=1e-6)


def test_lazy_mode() -> None:
    found = ResizeShortEdge(224, 'bicubic', lazy=True)(sample(256, 340))
    assert found['imgs'][0].shape[:2] == (256, 340)
    assert found['lazy']['interpolation'] == 'bicubic'
    assert Fuse()(found)['imgs'][0].shape[:2] == (224, 297)


def test_keys_are_those_of_the_host() -> None:
    ours = ResizeShortEdge(24)(sample(32, 64))
    theirs = Resize((-1, 24))(sample(32, 64))
    assert ours.keys() == theirs.keys()
    for key in ('img_shape', 'keep_ratio', 'modality'):
        assert ours[key] == theirs[key]
    for key in ('imgs', 'scale_factor'):
        assert np.array_equal(ours[key], theirs[key])
        assert np.asarray(ours[key]).dtype == np.asarray(theirs[key]).dtype


@pytest.mark.parametrize('scale', [0, 2.5, (-1, 224)])
def test_bad_scale(scale: Any) -> None:
    with pytest.raises(ValueError, match='shorter side in pixels, but is'):
        ResizeShortEdge(scale)
