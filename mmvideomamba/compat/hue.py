"""Let mmcv turn hues backwards with numpy 2."""
import functools
import importlib
import sys
import types
from typing import TYPE_CHECKING, Any

from .workaround import Workaround

if TYPE_CHECKING:
    import numpy as np


class _Turn(float):
    """Share of the circle of hues, whose multiples are whole steps."""

    def __mul__(self, steps: float) -> int:
        """Count steps forwards; mmcv stores the number in 8 bits."""
        # numpy 2 refuses negative numbers for 8 bits; modulo 256 both turns
        # are the same.
        return int(float(self) * steps) % 256


def _heal_photometric(module: types.ModuleType) -> None:
    original = module.adjust_hue

    @functools.wraps(original)
    def adjust_hue(img: 'np.ndarray', hue_factor: float, *args: Any,
                   **kwargs: Any) -> 'np.ndarray':
        return original(img, _Turn(hue_factor), *args, **kwargs)

    # Packages above hold the function under names of their own.
    for name in (module.__name__, 'mmcv.image', 'mmcv'):
        if name in sys.modules:
            sys.modules[name].__dict__['adjust_hue'] = adjust_hue


def _cause() -> str:
    np = importlib.import_module('numpy')
    try:
        np.uint8(-1.)
    except OverflowError:
        return (f'numpy {np.__version__} refuses the negative numbers by '
                'which mmcv turns hues')
    return ''


def _cure(module: types.ModuleType) -> None:
    """Count a turn of mmcv's ``adjust_hue`` forwards, modulo 256."""
    _heal_photometric(module)


WORKAROUND = Workaround(
    name='hue',
    cause=_cause,
    link='https://github.com/open-mmlab/mmcv/blob/v2.1.0/mmcv/image/'
    'photometric.py',
    until='a release of mmcv that mmaction2 accepts and numpy 2 runs',
    modules=('mmcv.image.photometric', ),
    cure=_cure)
