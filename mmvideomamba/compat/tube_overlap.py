"""Let mmaction2's MultiSportsMetric compare tubes with numpy 2.4."""
import importlib
import types
from typing import TYPE_CHECKING

from .workaround import Workaround

if TYPE_CHECKING:
    import numpy as np


def _heal_tubes(module: types.ModuleType) -> None:

    def iou3dt_voc(b1: 'np.ndarray',
                   b2: 'np.ndarray',
                   spatialonly: bool = False,
                   temporalonly: bool = False) -> float:
        """Compute the overlap of two tubes in space and time.

        Args:
            b1 (np.ndarray): Rows (frame, x1, y1, x2, y2), frames ascending.
            b2 (np.ndarray): Likewise.
            spatialonly (bool): Leave time out. Defaults to False.
            temporalonly (bool): Leave space out. Defaults to False.

        Returns:
            float: Intersection over union.
        """
        first = max(b1[0, 0], b2[0, 0])
        last = min(b1[-1, 0], b2[-1, 0])
        if last < first:
            return 0.0
        whole = max(b1[-1, 0], b2[-1, 0]) - min(b1[0, 0], b2[0, 0])
        in_time = 1. if spatialonly else (last - first) / whole
        if temporalonly:
            return (last - first) / whole
        common = [
            tube[(tube[:, 0] >= first) & (tube[:, 0] <= last)]
            for tube in (b1, b2)
        ]
        return module.iou3d_voc(*common) * in_time

    module.__dict__['iou3dt_voc'] = iou3dt_voc


def _cause() -> str:
    np = importlib.import_module('numpy')
    try:
        int(np.zeros(1))
    except TypeError:
        return (f'numpy {np.__version__} makes no number of an array, and '
                'mmaction2 asks it to')
    return ''


def _cure(module: types.ModuleType) -> None:
    """Take the common frames of two tubes by a mask, not by numbers."""
    _heal_tubes(module)


WORKAROUND = Workaround(
    name='tube_overlap',
    cause=_cause,
    link='https://github.com/open-mmlab/mmaction2/blob/v1.2.0/mmaction/'
    'evaluation/functional/multisports_utils.py',
    until='a release of mmaction2 for numpy 2.4',
    modules=('mmaction.evaluation.functional.multisports_utils', ),
    cure=_cure)
