import pytest
import torch

from mmvideomamba.evaluation import VideoTextRecall
from mmvideomamba.evaluation.video_text_recall import expected_hit


def recall(queries: list, **kwargs) -> dict:
    metric = VideoTextRecall(**kwargs)
    metric.process(None, [
        dict(group=g, scores=torch.tensor(s), positives=p)
        for g, s, p in queries
    ])
    return metric.evaluate(len(queries))


def test_item_zero_is_no_hit() -> None:
    """The host's metric counts item 0 as a hit by mistake; ours does not."""
    found = recall([('t2v', [.9, .1, .3], [1])], topk=(1, 2, 3))
    assert (found['t2v/R@1'], found['t2v/R@2'], found['t2v/R@3']) == (0, 0,
                                                                      100)


def test_means_and_groups() -> None:
    found = recall([('t2v', [.9, .1], [0]), ('t2v', [.9, .1], [1]),
                    ('v2t', [.9, .1], [0]), ('t2v_emb', [.1, .9], [0])],
                   topk=(1, 2))
    assert found == {
        't2v/R@1': 50,
        't2v/R@2': 100,
        't2v/mR': 75,
        'v2t/R@1': 100,
        'v2t/R@2': 100,
        'v2t/mR': 100,
        't2v_emb/R@1': 0,
        't2v_emb/R@2': 100,
        't2v_emb/mR': 50,
        'mean_recall': 87.5,
        'mean_recall_emb': 50
    }


def test_best_of_several_positives() -> None:
    found = recall([('v2t', [.1, .5, .9, .7], [0, 3])], topk=(1, 2))
    assert (found['v2t/R@1'], found['v2t/R@2']) == (0, 100)


@pytest.mark.parametrize('positives, k', [([0], 1), ([3], 5), ([1, 7], 5)])
def test_constant_scores_get_chance(positives: list, k: int) -> None:
    found = recall([('t2v', [0.] * 10, positives)], topk=(k, ))
    chance = 1 - (1 - k / 10 if len(positives) == 1 else
                  (10 - k) * (9 - k) / 90)
    assert found[f't2v/R@{k}'] == pytest.approx(100 * chance)


def test_expected_hit_is_the_mean_over_orders() -> None:
    generator = torch.Generator().manual_seed(0)
    orders = torch.rand(20000, 5, generator=generator).argsort(1)
    # 2 right ones, 3 wrong ones of equal score, after 1 better one.
    share = (orders[:, :2] < 2).any(1).float().mean().item()
    assert expected_hit(1, 2, 3, 3) == pytest.approx(share, abs=0.01)
    assert expected_hit(4, 1, 0, 4) == 0
    assert expected_hit(0, 1, 9, 50) == 1


@pytest.mark.parametrize('scores, positives, match',
                         [([0., float('nan')], [0], 'NaN'),
                          ([0., 1.], [], r'right items \[\] of 2'),
                          ([0., 1.], [2], 'from 0 to 1')])
def test_bad_queries(scores: list, positives: list, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        recall([('t2v', scores, positives)])


def test_bad_topk() -> None:
    with pytest.raises(ValueError, match='topk of VideoTextRecall.*0'):
        VideoTextRecall(topk=(1, 0))
