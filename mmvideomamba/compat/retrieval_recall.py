"""Let mmaction2's RetrievalRecall tell classes from rows."""
import functools
import types
from typing import Any

from .workaround import Workaround, installed_version


def _heal_metric(module: types.ModuleType) -> None:
    host = module.RetrievalRecall
    original = host.calculate

    @functools.wraps(original)
    def calculate(pred: Any, target: Any, *args: Any, **kwargs: Any) -> Any:
        if getattr(target, 'ndim', 2) == 3:
            target = target.max(1)
            # torch returns the places of the maxima, too.
            target = getattr(target, 'values', target)
        return original(pred, target, *args, **kwargs)

    host.calculate = staticmethod(calculate)


def _cause() -> str:
    version = installed_version('mmaction2')
    return version and (f'mmaction2 {version} counts the first candidate as '
                        'a hit of every query')


def _cure(module: types.ModuleType) -> None:
    """Merge the one-hot rows of a query's labels into one row.

    The metric hands over the rows of a query as a matrix, and the host takes
    row numbers for candidates.
    """
    _heal_metric(module)


WORKAROUND = Workaround(
    name='retrieval_recall',
    cause=_cause,
    link='https://github.com/open-mmlab/mmaction2/blob/v1.2.0/mmaction/'
    'evaluation/metrics/multimodal_metric.py',
    until='a release of mmaction2 with one row of labels for a query',
    modules=('mmaction.evaluation.metrics.multimodal_metric', ),
    cure=_cure)
