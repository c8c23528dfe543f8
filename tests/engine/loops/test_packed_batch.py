"""Batches of a worker arrive as collated, in one shared memory."""
import os
import resource
from multiprocessing.reduction import ForkingPickler
from typing import Any, List

import numpy as np
import pytest
import torch
from mmaction.structures import ActionDataSample
from mmengine.dataset import pseudo_collate
from torch.utils.data import DataLoader, Dataset

from mmvideomamba.engine.loops.packed_batch import PackedBatch, PackedCollate
from mmvideomamba.engine.loops.resumable_loader import ResumableLoader


def sent(batch: Any) -> Any:
    """Send a batch as a worker does."""
    return ForkingPickler.loads(ForkingPickler.dumps(PackedBatch(batch)))


def storages(tensors: List[torch.Tensor]) -> set:
    return {t.untyped_storage().data_ptr() for t in tensors}


class Clips(Dataset):
    """Clips with labels, as a data set of mmaction2 gives them."""

    def __len__(self) -> int:
        return 80

    def __getitem__(self, index: int) -> dict:
        sample = ActionDataSample(metainfo=dict(number=int(index)))
        sample.set_gt_label(int(index))
        clip = torch.full((1, 3, 2, 4, 4), int(index), dtype=torch.uint8)
        return dict(inputs=clip, data_samples=sample)


@pytest.mark.parametrize('dtype', [
    torch.uint8, torch.bool, torch.int64, torch.float16, torch.bfloat16,
    torch.float64, torch.complex64
])
def test_values_of_each_dtype(dtype: torch.dtype) -> None:
    tensors = [
        torch.randn(3, 5).to(dtype),
        torch.ones((), dtype=dtype),
        torch.zeros(0, 4, dtype=dtype),
        torch.randn(4, 6).to(dtype).t()[::2]
    ]
    found = sent(tensors)
    for one, other in zip(tensors, found):
        assert one.dtype == other.dtype and one.shape == other.shape
        assert torch.equal(one, other)
    assert len(storages(found[:2] + found[3:])) == 1


def test_structures_stay() -> None:
    shared, weight = torch.arange(3), torch.nn.Parameter(torch.ones(2))
    batch = dict(
        a=(shared, [shared, 'x', None, 1.5]),
        b=np.arange(4),
        c=weight,
        d=torch.ones(2, 2).to_sparse(),
        e=torch.ones(2) * 1j)
    found = sent(batch)
    assert found['a'][0] is found['a'][1][0]
    assert torch.equal(found['a'][0], shared)
    assert found['a'][1][1:] == ['x', None, 1.5]
    assert (found['b'] == batch['b']).all()
    assert type(found['c']) is torch.nn.Parameter
    assert torch.equal(found['d'].to_dense(), torch.ones(2, 2))
    assert torch.equal(sent(batch['e'].conj()).resolve_conj(), -batch['e'])


@pytest.mark.parametrize('batch', [[], [1, 'word'], [torch.zeros(0)], None])
def test_batches_without_values(batch: Any) -> None:
    assert str(sent(batch)) == str(batch)


def test_function_within_is_named() -> None:
    collate = DataLoader([1], collate_fn=pseudo_collate).collate_fn
    assert PackedCollate(collate).func is pseudo_collate
    # In the training process itself nothing is packed.
    assert PackedCollate(collate)([1, 2]) == [1, 2]


def test_loader_with_workers_gives_the_same_batches() -> None:
    batches = []
    for workers in (0, 2):
        loader = DataLoader(
            Clips(), 20, num_workers=workers, collate_fn=pseudo_collate)
        batches.append(list(ResumableLoader(loader, seed=0)))
    for one, other in zip(*batches):
        assert all(map(torch.equal, one['inputs'], other['inputs']))
        labels = [x.gt_label for x in other['data_samples']]
        for sample, label in zip(one['data_samples'], labels):
            assert torch.equal(sample.gt_label, label)
        assert [x.metainfo for x in one['data_samples']
                ] == [x.metainfo for x in other['data_samples']]
        assert len(storages(other['inputs'] + labels)) == 1


def test_batches_need_few_files() -> None:
    # A file for each tensor would be 160 for a batch, and 2 batches wait.
    loader = ResumableLoader(
        DataLoader(
            Clips(), 80, num_workers=1, collate_fn=pseudo_collate, timeout=30),
        0)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    # The process of the tests has opened some before.
    most = max(map(int, os.listdir('/dev/fd'))) + 60
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, limits[1]))
    try:
        batch = next(iter(loader))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert len(batch['inputs']) == 80
