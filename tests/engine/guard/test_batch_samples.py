"""Samples of a batch are named; samples with bad values are found."""
from typing import Any

import pytest
import torch
from guarded_run import BAD, Points, collate
from mmaction.structures import ActionDataSample

from mmvideomamba.engine.guard.batch_samples import (bad_samples, is_bad,
                                                     sample_names)


def batch(*bad: int) -> Any:
    points = Points(bad=bad)
    return collate([points[i] for i in range(4)])


def test_bad_samples() -> None:
    assert bad_samples(batch()) is None
    assert bad_samples(batch(1, 3)) == [1, 3]
    # Several views, of all samples each.
    views = batch()
    views['inputs'] = [views['inputs'], batch(2)['inputs'], views['inputs']]
    assert bad_samples(views) == []
    listed = batch(2)
    listed['inputs'] = [dict(a=x) for x in listed['inputs']]
    assert bad_samples(listed) == [2]


def test_bad_label() -> None:
    one = batch()
    one['data_samples'][3].set_field(torch.tensor(BAD), 'target')
    assert bad_samples(one) == [3]


@pytest.mark.parametrize('meta, name', [
    (dict(filename='a.mp4', video_id='3'), 'a.mp4 (label 1)'),
    (dict(sample_idx=7), 'sample 0 (label 1, number 7 of its data set)'),
    (dict(), 'sample 0 (label 1)'),
])
def test_names(meta: dict, name: str) -> None:
    sample = ActionDataSample(metainfo=meta)
    sample.set_gt_label(1)
    assert sample_names(dict(data_samples=[sample])) == [name]
    assert sample_names(dict(data_samples=[[sample]])) == [name]
    sample.set_field('text ' * 40, 'text')
    assert "text 'text text" in sample_names(dict(data_samples=[sample]))[0]


def test_batches_without_data_samples() -> None:
    assert sample_names(torch.ones(2)) == []
    assert bad_samples([torch.ones(2), torch.full((2, ), BAD)]) == []


def test_integers_are_never_bad() -> None:
    assert not is_bad(torch.ones(2, dtype=torch.uint8))
    assert not is_bad(torch.full((2, ), 3e38))
    assert is_bad(torch.tensor([0, float('-inf')]))
