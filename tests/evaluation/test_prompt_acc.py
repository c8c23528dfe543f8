import pytest
import torch

from mmvideomamba.evaluation import PromptAccMetric


def sample(label: int, judge: list, emb: list = None) -> dict:
    found = dict(
        gt_label=torch.tensor([label]), pred_score=torch.tensor(judge))
    return dict(found, emb_score=torch.tensor(emb)) if emb else found


def test_both_scores_are_counted() -> None:
    metric = PromptAccMetric(
        metric_options=dict(top_k_accuracy=dict(topk=(1, 2))))
    metric.process(None, [
        sample(0, [3., 1., 2.], [1., 3., 2.]),
        sample(0, [1., 3., 2.], [3., 1., 2.]),
        sample(1, [1., 3., 2.], [1., 3., 2.])
    ])
    metric.process(None, [sample(2, [1., 2., 3.], [3., 2., 1.])])
    found = metric.evaluate(4)
    assert found == {
        'acc/top1': 3 / 4,
        'acc/top2': 3 / 4,
        'acc/mean1': pytest.approx((1 / 2 + 1 + 1) / 3),
        'acc/top1_emb': 2 / 4,
        'acc/top2_emb': 2 / 4,
        'acc/mean1_emb': pytest.approx((1 / 2 + 1 + 0) / 3)
    }


def test_without_a_judge_there_is_one_score() -> None:
    metric = PromptAccMetric()
    metric.process(None, [sample(1, [0., 1.])])
    assert set(metric.evaluate(1)) == {'acc/top1', 'acc/top5', 'acc/mean1'}


@pytest.mark.parametrize('label', [-1, 2])
def test_unknown_labels(label: int) -> None:
    with pytest.raises(ValueError, match=rf'label \[{label}\].*2 classes'):
        PromptAccMetric().process(None, [sample(label, [0., 1.])])
