"""Copies of batches: same values, fixed places, a layout per structure."""
import collections
from typing import Any, Dict, NamedTuple

import numpy as np
import pytest
import torch
from mmaction.structures import ActionDataSample
from mmpretrain.structures import DataSample

from mmvideomamba.engine.step_graph.batch_memory import (BatchMemory,
                                                         UnknownValueError,
                                                         layout, tensors_of)

CPU, META = torch.device('cpu'), torch.device('meta')


def batch(value: float = 0., size: int = 2, **facts: Any) -> Dict[str, Any]:
    samples = []
    for i in range(size):
        sample = ActionDataSample(metainfo=dict(filename=f'{value}.mp4'))
        sample.set_gt_label(torch.tensor([0.5, value]))
        sample.set_field(DataSample().set_gt_label(i), 'inner')
        samples.append(sample)
    return dict(
        inputs=torch.full((size, 3), value), data_samples=samples, **facts)


def test_values_and_places() -> None:
    memory = BatchMemory(batch(), CPU)
    places = [x.data_ptr() for x in tensors_of(memory.batch)]
    memory.fill(batch(7.))
    assert places == [x.data_ptr() for x in tensors_of(memory.batch)]
    assert memory.batch['inputs'].eq(7).all()
    sample = memory.batch['data_samples'][1]
    assert sample.gt_label.tolist() == [0.5, 7.]
    assert sample.inner.gt_label.tolist() == [1]
    # File names change from batch to batch: neither a recorded name nor the
    # loss's default may be used.
    for use in (bool, str, float, len, 'x'.__add__, lambda x: x == 'y'):
        with pytest.raises((RuntimeError, TypeError)):
            use(sample.get('filename', 'default'))


def test_labels_on_the_cpu_move_together() -> None:
    memory = BatchMemory(batch(), META)
    found = tensors_of(memory.batch)
    assert all(x.device == META for x in found)
    assert [x.shape for x in found] == [x.shape for x in tensors_of(batch())]
    # A tensor for all numbers of a dtype.
    assert sorted(x.numel() for x in memory._far.values()) == [2, 10]


@pytest.mark.parametrize('other, same', [
    (batch(3.), True),
    (batch(size=3), False),
    (batch(scale=2), False),
    (dict(batch(), inputs=torch.zeros(2, 3).double()), False),
    (dict(batch(), inputs=[torch.zeros(2, 3)]), False),
    (dict(batch(), data_samples=None), False),
])
def test_layout(other: Dict[str, Any], same: bool) -> None:
    assert (layout(batch()) == layout(other)) is same
    assert hash(layout(other)) == hash(layout(other))


def test_number_of_classes_stays() -> None:
    sample = DataSample(metainfo=dict(num_classes=5, path='a'))
    memory = BatchMemory([sample], CPU)
    assert memory.batch[0].num_classes == 5
    other = DataSample(metainfo=dict(num_classes=6, path='a'))
    assert layout([sample]) != layout([other])


def test_samples_that_share_a_tensor_in_the_first_batch_only() -> None:
    for device in (CPU, META):
        shared = torch.zeros(2)
        memory = BatchMemory([shared, shared], device)
        one, other = memory.batch
        assert one is not other
        if device == CPU:
            memory.fill([torch.zeros(2), torch.ones(2)])
            assert [x.tolist() for x in memory.batch] == [[0, 0], [1, 1]]


def test_tensors_of_meta_information_are_filled() -> None:

    def sample(value: float) -> DataSample:
        return DataSample(metainfo=dict(weight=torch.tensor(value)))

    memory = BatchMemory([sample(1.)], CPU)
    memory.fill([sample(2.)])
    assert memory.batch[0].weight == 2
    assert 'weight' in memory.batch[0].metainfo_keys()


def test_fields_of_samples_tell_layouts_apart() -> None:
    some, other = DataSample(), DataSample(metainfo=dict(hard=True))
    assert layout([some]) != layout([other])
    nothing = DataSample(metainfo=dict(hard=None))
    assert layout([nothing]) != layout([other])
    assert BatchMemory([nothing], CPU).batch[0].hard is None


class Pair(NamedTuple):
    clip: torch.Tensor
    speed: float


def test_other_containers() -> None:
    counted = collections.defaultdict(list, x=torch.ones(2))
    found = BatchMemory([Pair(torch.ones(1), 2.), counted], CPU).batch
    assert found[0] == Pair(torch.ones(1), 2.)
    assert type(found[1]) is collections.defaultdict


@pytest.mark.parametrize('value, message', [
    (np.zeros(2000), 'a batch holds a ndarray'),
    (object(), 'a batch holds a object'),
    (torch.eye(2).to_sparse(), 'the layout torch.sparse_coo'),
])
def test_unknown_values(value: Any, message: str) -> None:
    with pytest.raises(UnknownValueError, match=message):
        layout(dict(inputs=[value]))
