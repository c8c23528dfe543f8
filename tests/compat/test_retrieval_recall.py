"""mmaction2's RetrievalRecall counts by the labels."""
from typing import Any, Dict

import numpy as np
import pytest
import torch
from mmaction.evaluation import RetrievalRecall

from mmvideomamba.compat import retrieval_recall


def _evaluate(**label: Any) -> Dict[str, float]:
    """Evaluate candidates ranked 0, 1, 2, 3."""
    metric = RetrievalRecall(topk=(1, 2, 3))
    scores = torch.tensor([.9, .8, .7, .1])
    metric.process(None, [dict(pred_score=scores, **label)])
    return metric.compute_metrics(metric.results)


@pytest.mark.parametrize('labels, expected', [
    ([0], [100, 100, 100]),
    ([1], [0, 100, 100]),
    ([2], [0, 0, 100]),
    ([3], [0, 0, 0]),
    ([3, 1], [0, 100, 100]),
])
def test_labels(labels: list, expected: list) -> None:
    """Without the workaround candidate 0 is a hit for each of them."""
    found = _evaluate(gt_label=torch.tensor(labels))
    assert list(found.values()) == expected


def test_scores_of_labels() -> None:
    found = _evaluate(
        gt_label=torch.tensor([2]), gt_score=torch.tensor([0, 0, 1, 0]))
    assert list(found.values()) == [0, 0, 100]


def test_static_call_by_rows_of_numpy() -> None:
    pred = np.array([[.9, .8, .7], [.1, .2, .3]])
    rows = np.array([[[0, 1, 0]], [[0, 0, 1]]])
    assert RetrievalRecall.calculate(pred, rows, topk=1) == [50.]
    assert RetrievalRecall.calculate(pred, rows[:, 0], topk=1) == [50.]
    indices = RetrievalRecall.calculate([[0, 1]], [[1]], (1, 2), True, True)
    assert indices == [0., 100.]


def test_cause_is_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    assert '1.2.0' in retrieval_recall.WORKAROUND.cause()
    monkeypatch.setattr(retrieval_recall, 'installed_version', lambda _: '')
    assert retrieval_recall.WORKAROUND.cause() == ''
