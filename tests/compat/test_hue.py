"""mmcv turns hues backwards, by both of its backends."""
import sys
import types

import cv2
import mmcv
import numpy as np
import pytest
from mmpretrain.datasets import ColorJitter
from PIL import Image

from mmvideomamba.compat import hue


@pytest.fixture
def img() -> np.ndarray:
    """Return noise, (h, w, 3), BGR."""
    return np.random.default_rng(0).integers(0, 256, (8, 9, 3), np.uint8)


def _turn(channel: np.ndarray, steps: int) -> np.ndarray:
    return ((channel.astype(int) + steps) % 256).astype(np.uint8)


def test_turn_by_pillow(img: np.ndarray) -> None:
    h, s, v = Image.fromarray(img[..., ::-1]).convert('HSV').split()
    turned = Image.fromarray(_turn(np.array(h), -76))
    expected = Image.merge('HSV', (turned, s, v)).convert('RGB')
    found = mmcv.adjust_hue(img, -0.3, backend='pillow')
    np.testing.assert_array_equal(found[..., ::-1], np.array(expected))


def test_turn_by_opencv(img: np.ndarray) -> None:
    hsv = cv2.cvtColor(img, cv2.COLOR_BGR2HSV_FULL)
    hsv[..., 0] = _turn(hsv[..., 0], -76)
    expected = cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR_FULL)
    found = mmcv.adjust_hue(img, -0.3, backend='cv2')
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize('backend', ['pillow', 'cv2'])
def test_forward_turn_and_bad_factor_are_mmcvs(img: np.ndarray,
                                               backend: str) -> None:
    original = mmcv.adjust_hue.__wrapped__
    np.testing.assert_array_equal(
        mmcv.adjust_hue(img, 0.3, backend), original(img, 0.3, backend))
    with pytest.raises(ValueError, match='hue_factor:-0.6'):
        mmcv.adjust_hue(img, -0.6, backend)


def test_every_name_of_the_function_is_healed() -> None:
    assert mmcv.adjust_hue is mmcv.image.adjust_hue
    assert mmcv.adjust_hue is mmcv.image.photometric.adjust_hue


@pytest.mark.parametrize('backend', ['pillow', 'cv2'])
def test_mmpretrain_jitters(img: np.ndarray, backend: str) -> None:
    jitter = ColorJitter(hue=(-0.3, -0.3), backend=backend)
    np.testing.assert_array_equal(
        jitter(dict(img=img))['img'], mmcv.adjust_hue(img, -0.3, backend))


def test_cause_is_the_refusal(monkeypatch: pytest.MonkeyPatch) -> None:

    def refuse(value: float) -> int:
        raise OverflowError

    new = types.SimpleNamespace(uint8=refuse, __version__='9.9')
    monkeypatch.setitem(sys.modules, 'numpy', new)
    assert 'numpy 9.9 refuses' in hue.WORKAROUND.cause()
    old = types.SimpleNamespace(uint8=lambda value: int(value) % 256)
    monkeypatch.setitem(sys.modules, 'numpy', old)
    assert hue.WORKAROUND.cause() == ''
