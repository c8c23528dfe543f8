"""Data sets with a policy are found inside of any wrapper."""
from typing import Any, List

import pytest
from mmengine.dataset import BaseDataset, ConcatDataset, RepeatDataset
from mmengine.runner.runner import _SlicedDataset
from torch.utils.data import Subset

from mmvideomamba.datasets.bad_media import BadMediaMixin
from mmvideomamba.datasets.inner_sets import inner_sets, policy_sets
from mmvideomamba.engine.loops.resumable_loader import SeededDataset


class Videos(BadMediaMixin, BaseDataset):
    """A data set with a policy."""

    def load_data_list(self) -> List[dict]:
        return [dict(filename='a'), dict(filename='b')]


def wrap_all(dataset: Any) -> Any:
    return SeededDataset(_SlicedDataset(ConcatDataset([dataset, dataset]), 3))


@pytest.mark.parametrize('wrap, count', [
    (lambda x: x, 1),
    (lambda x: RepeatDataset(x, 2), 1),
    (lambda x: _SlicedDataset(x, 1), 1),
    (lambda x: Subset(x, [0]), 1),
    (SeededDataset, 1),
    (wrap_all, 2),
])
def test_policy_is_found(wrap: Any, count: int) -> None:
    dataset = Videos(bad_media='replace')
    assert list(policy_sets(wrap(dataset))) == [dataset] * count


def test_other_data_sets_have_no_policy() -> None:
    plain = Subset([1, 2], [0])
    assert not list(policy_sets(plain))
    assert list(inner_sets(plain)) == [[1, 2]]
