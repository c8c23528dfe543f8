"""Shares of shards: every sample once, own shards for each worker."""
from collections import Counter
from typing import Any, Dict, List

import numpy as np
import pytest
from torch.utils.data import BatchSampler

from mmvideomamba.datasets.samplers import (PlacedSampler, ShardSampler,
                                            placed_sampler, shard_sampler)
from mmvideomamba.registry import DATA_SAMPLERS

SIZES = [30, 1, 70, 25, 40, 33, 12]  # 211 samples
OWNER = np.repeat(np.arange(len(SIZES)), SIZES)


class Shards:
    """A data set of shard sizes alone.

    Args:
        sizes (list[int]): Samples of each shard.
    """

    def __init__(self, sizes: List[int] = SIZES) -> None:
        self.sizes = sizes

    def __len__(self) -> int:
        return sum(self.sizes)

    def stretches(self) -> np.ndarray:
        return np.cumsum(self.sizes)


def build(sizes: List[int] = SIZES, **kwargs: Any) -> ShardSampler:
    return ShardSampler(Shards(sizes), **{**dict(seed=3), **kwargs})


def ranks(monkeypatch, world: int, **kwargs: Any) -> List[ShardSampler]:
    """Return the samplers of all processes."""
    found = []
    for rank in range(world):
        monkeypatch.setattr(shard_sampler, 'get_dist_info', lambda:
                            (rank, world))
        found.append(build(**kwargs))
    return found


def by_worker(sampler: ShardSampler, drop_last: bool = False) -> Dict:
    """Hand out batches as torch's data loader does."""
    found: Dict[int, List[int]] = {w: [] for w in range(sampler.streams)}
    batches = BatchSampler(sampler, sampler.batch_size, drop_last)
    for number, batch in enumerate(batches):
        found[number % sampler.streams] += batch
    return found


@pytest.mark.parametrize('world', [1, 2, 3])
@pytest.mark.parametrize('num_workers, batch_size', [(0, 1), (1, 8), (2, 8),
                                                     (3, 7), (2, 300)])
@pytest.mark.parametrize('shuffle', [True, False])
def test_every_sample_once(monkeypatch, world: int, num_workers: int,
                           batch_size: int, shuffle: bool) -> None:
    """Filled up, or without the rest; all processes get as many."""
    for round_up, size in ((True, -(-211 // world)), (False, 211 // world)):
        samplers = ranks(
            monkeypatch,
            world,
            shuffle=shuffle,
            round_up=round_up,
            num_workers=num_workers,
            batch_size=batch_size,
            buffer_size=20)
        found = [list(sampler) for sampler in samplers]
        assert {len(x) for x in found} == {size}
        assert all(len(sampler) == size for sampler in samplers)
        times = Counter(i for x in found for i in x)
        spare = size * world - 211
        assert len(times) == (211 if round_up else 211 + spare)
        assert sum(times.values()) - len(times) == max(spare, 0)


@pytest.mark.parametrize('world', [1, 2])
@pytest.mark.parametrize('num_workers', [1, 2, 4])
def test_workers_have_shards_of_their_own(monkeypatch, world: int,
                                          num_workers: int) -> None:
    """Each shard has one reader, except shards cut between two readers."""
    readers = []
    for sampler in ranks(
            monkeypatch, world, num_workers=num_workers, batch_size=8):
        readers += by_worker(sampler).values()
    held = [set(OWNER[reader]) for reader in readers]
    assert sum(len(x) for x in held) <= len(SIZES) + len(readers)


def test_wrong_workers_lose_nothing() -> None:
    sampler = build(num_workers=2, batch_size=8)
    batches = BatchSampler(sampler, 5, False)
    assert sorted(i for batch in batches for i in batch) == list(range(211))


@pytest.mark.parametrize('open_shards', [1, 3])
def test_shards_are_read_from_start_to_end(open_shards: int) -> None:
    order = np.array(list(build(open_shards=open_shards, buffer_size=1)))
    for shard in range(len(SIZES)):
        assert (np.diff(order[OWNER[order] == shard]) == 1).all()
    shards = OWNER[order]
    spans = [np.flatnonzero(shards == s)[[0, -1]] for s in range(len(SIZES))]
    reading = sum(
        (np.arange(211) >= a) & (np.arange(211) <= b) for a, b in spans)
    assert reading.max() == open_shards


def test_the_buffer_is_bounded_and_shuffles() -> None:
    order = np.array(list(build([500], open_shards=1, buffer_size=50)))
    moved = np.abs(order - np.arange(500))
    assert 20 < moved.max() < 50
    # The buffer is shuffled block by block, so a sample's block is known
    # without the samples before.
    assert (order // 50 == np.arange(500) // 50).all()


def test_each_epoch_has_an_order_of_its_own(monkeypatch) -> None:
    one, other = build(), build()
    assert list(one) == list(one) == list(other)
    other.set_epoch(1)
    assert list(one) != list(other)
    assert list(build(seed=4)) != list(one)
    first = {OWNER[next(iter(build(seed=s)))] for s in range(20)}
    assert len(first) > 3
    # Other samples are left out in another epoch.
    lost = []
    for epoch in range(8):
        samplers = ranks(monkeypatch, 3, round_up=False)
        for sampler in samplers:
            sampler.set_epoch(epoch)
        lost += set(range(211)) - {i for x in samplers for i in x}
    assert len(lost) == 8 and len(set(lost)) > 1


@pytest.mark.parametrize('done', [0, 8, 40, 104])
def test_resuming_within_an_epoch(monkeypatch, done: int) -> None:
    """The rest of the epoch comes in the same order, on each rank."""
    for module in (shard_sampler, placed_sampler):
        monkeypatch.setattr(module, 'get_dist_info', lambda: (1, 2))
    for epoch in range(2):
        whole, resumed = (
            PlacedSampler(build(num_workers=3, batch_size=8), 3)
            for _ in range(2))
        for sampler in (whole, resumed):
            sampler.set_epoch(epoch)
        resumed.first = done
        expected, found = list(whole)[done:], list(resumed)
        assert len(found) == 106 - done and found == expected
        assert [p.position for p in found] == [p.position for p in expected]


def test_in_order_without_shuffle() -> None:
    assert list(build(shuffle=False)) == list(range(211))


def test_seed_is_agreed_on(monkeypatch) -> None:
    monkeypatch.setattr(shard_sampler, 'sync_random_seed', lambda: 3)
    assert list(build(seed=None)) == list(build(seed=3))


def test_built_by_its_config_name() -> None:
    sampler = DATA_SAMPLERS.build(
        dict(type='mmvideomamba.ShardSampler', dataset=Shards(), seed=0))
    assert isinstance(sampler, ShardSampler)


@pytest.mark.parametrize('kwargs, match', [
    (dict(open_shards=0), 'open_shards.* 0'),
    (dict(buffer_size=0), 'buffer_size.* 0'),
    (dict(num_workers=-1), 'got -1 and 1'),
    (dict(batch_size=0), 'got 0 and 0'),
])
def test_bad_numbers(kwargs: dict, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        build(**kwargs)


def test_bad_data_sets(monkeypatch) -> None:
    with pytest.raises(ValueError, match='got list; take DefaultSampler'):
        ShardSampler([1, 2])
    with pytest.raises(ValueError, match='2 samples are fewer than 3 pro'):
        ranks(monkeypatch, 3, sizes=[2], round_up=False)
    assert [len(x) for x in ranks(monkeypatch, 3, sizes=[2])] == [1, 1, 1]
