"""Samples with bad media are left out; see also test_bad_media_hook.py."""
from typing import Any, List, Sequence

import pytest
from bad_media_run import medium
from mmaction.structures import ActionDataSample
from mmengine.dataset import DefaultSampler
from mmengine.evaluator import BaseMetric, Evaluator
from torch.utils.data import DataLoader

from mmvideomamba.datasets.bad_medium import KEY
from mmvideomamba.evaluation import ReportEvaluator, report_evaluator


class Inputs(BaseMetric):
    """Keep what comes from the batch and from the model."""
    default_prefix = 'all'

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        numbers = [one['number'] for one in data_samples]
        assert data_batch is None or data_batch['inputs'] == numbers
        self.results += numbers

    def compute_metrics(self, results: list) -> dict:
        return dict(numbers=results)


def batch(*numbers: int, bad: Sequence[int] = ()) -> dict:
    samples: List[ActionDataSample] = []
    for i in numbers:
        samples.append(ActionDataSample(number=i))
        if i in bad:
            samples[-1].set_metainfo({KEY: [medium(f'{i}.mp4', sample=i)]})
    return dict(inputs=list(numbers), data_samples=samples)


def build(size: int, **kwargs: Any) -> ReportEvaluator:
    loader = DataLoader(range(size), **kwargs)
    return ReportEvaluator(Evaluator(Inputs()), loader)


def test_left_out() -> None:
    evaluator = build(5)
    for one in (batch(0, 1, bad=[1]), batch(2, 3, bad=[2, 3]), batch(4)):
        evaluator.process(one['data_samples'], one)
    assert evaluator.evaluate(5) == {'all/numbers': [0, 4], 'bad_media': 3}
    # Of the next evaluation the same.
    one = batch(0, 1, 2, 3, 4)
    evaluator.process(one['data_samples'], one)
    assert evaluator.evaluate(5) == {'all/numbers': [0, 1, 2, 3, 4]}


def test_results_without_a_batch_pass() -> None:
    evaluator = build(2)
    evaluator.process([dict(number=7)], None)
    assert evaluator.evaluate(1) == {'all/numbers': [7]}
    assert len(evaluator.metrics) == 1  # of the host's evaluator


def test_all_left_out() -> None:
    evaluator = build(2)
    one = batch(0, 1, bad=[0, 1])
    evaluator.process(one['data_samples'], one)
    with pytest.raises(ValueError, match='2 of 2 samples are left out'):
        evaluator.evaluate(2)


def test_predictions_that_fit_no_sample() -> None:
    one = batch(0, 1)
    with pytest.raises(ValueError, match='gave 1 for 2'):
        build(2).process(one['data_samples'][:1], one)


def test_padding_of_two_processes(monkeypatch) -> None:
    """The last sample of the second process is the first of the set."""
    sampler = DefaultSampler(range(3), shuffle=False, seed=0)
    for rank, wanted in ((0, [0, None]), (1, [1, None])):
        monkeypatch.setattr(report_evaluator.dist, 'get_dist_info', lambda:
                            (rank, 2))
        monkeypatch.setattr(report_evaluator.dist, 'get_world_size', lambda: 2)
        evaluator = build(3, sampler=sampler)
        one = batch(rank, [2, 0][rank], bad=[2])
        evaluator.process(one['data_samples'], one)
        assert evaluator.metrics[0].results == wanted
        assert list(evaluator.left_out) == [[2], []][rank]


def test_unknown_sampler_of_two_processes(monkeypatch) -> None:
    monkeypatch.setattr(report_evaluator.dist, 'get_dist_info', lambda: (0, 2))
    one = batch(0, bad=[0])
    with pytest.raises(ValueError, match='needs DefaultSampler'):
        build(3).process(one['data_samples'], one)


def test_unknown_padding_of_two_processes(monkeypatch) -> None:
    """Else a prediction would be taken for padding, and lost."""
    monkeypatch.setattr(report_evaluator.dist, 'get_dist_info', lambda: (1, 2))
    one = batch(2, 0)
    with pytest.raises(ValueError, match='needs DefaultSampler'):
        build(3).process(one['data_samples'], one)


def test_same_numbers_of_two_data_sets() -> None:
    evaluator = build(4)
    one = batch(0, 1, 0, 1, bad=[1])
    evaluator.process(one['data_samples'], one)
    assert evaluator.evaluate(4) == {'all/numbers': [0, 0], 'bad_media': 2}


def test_views_of_test_time_augmentation() -> None:
    evaluator = build(3)
    one = batch(0, 1, 2, bad=[1])
    views = dict(inputs=one['inputs'], data_samples=[one['data_samples']] * 2)
    evaluator.process(one['data_samples'], views)
    assert evaluator.evaluate(3) == {'all/numbers': [0, 2], 'bad_media': 1}
