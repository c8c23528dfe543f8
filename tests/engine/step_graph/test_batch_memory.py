"""Copies of batches: same values, fixed places, layouts that tell."""
from typing import Any, Dict

import pytest
import torch
from mmaction.structures import ActionDataSample
from mmpretrain.structures import DataSample

from mmvideomamba.engine.step_graph.batch_memory import (BatchMemory, layout,
                                                         tensors_of)

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
    # Names of files change from batch to batch.
    assert 'filename' not in sample


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
