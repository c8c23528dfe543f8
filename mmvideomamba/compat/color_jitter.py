"""Let mmaction2's ColorJitter turn hues in more than 8 bits."""
import importlib
import types
from typing import TYPE_CHECKING

from .workaround import Workaround, installed_version

if TYPE_CHECKING:
    import numpy as np


def _adjust_hue(img: 'np.ndarray', factor: float) -> 'np.ndarray':
    """Turn the hues of an RGB image.

    Args:
        img (np.ndarray): Values 0 to 255, shape (h, w, 3).
        factor (float): In [-0.5, 0.5]; of 255 steps, as by the host.

    Returns:
        np.ndarray: float32, shape (h, w, 3).
    """
    np = importlib.import_module('numpy')
    cv2 = importlib.import_module('cv2')  # not for every user of the package
    pixels = np.clip(img, 0, 255).astype(np.uint8)
    hsv = cv2.cvtColor(pixels, cv2.COLOR_RGB2HSV)
    # OpenCV keeps a hue of 8 bits as 0 to 179; a sum in 8 bits would wrap at
    # 256, not at 180.
    turned = hsv[..., 0].astype(np.int16) + int(factor * 255)
    hsv[..., 0] = turned % 180
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB).astype(np.float32)


def _heal_processing(module: types.ModuleType) -> None:
    module.ColorJitter.adjust_hue = staticmethod(_adjust_hue)


def _cause() -> str:
    version = installed_version('mmaction2')
    return version and f'mmaction2 {version} adds hues in 8 bits'


def _cure(module: types.ModuleType) -> None:
    """Turn hues in 16 bits.

    In 8 bits numpy 2 refuses a turn backwards, and any numpy makes another
    colour of a sum above 255.
    """
    _heal_processing(module)


WORKAROUND = Workaround(
    name='color_jitter',
    cause=_cause,
    link='https://github.com/open-mmlab/mmaction2/blob/v1.2.0/mmaction/'
    'datasets/transforms/processing.py',
    until='a release of mmaction2 whose sum of hues has more than 8 bits',
    modules=('mmaction.datasets.transforms.processing', ),
    cure=_cure)
