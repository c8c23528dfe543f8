"""Samples depend on epoch and position alone, not on earlier reads."""
import pickle
import random
from multiprocessing.reduction import ForkingPickler
from typing import List

import numpy as np
import pytest
import torch
from mmengine.dataset import DefaultSampler, InfiniteSampler
from torch.utils.data import (BatchSampler, DataLoader, Dataset,
                              IterableDataset, SequentialSampler, Subset)

from mmvideomamba.datasets.samplers import placed_sampler
from mmvideomamba.engine.loops import resumable_loader
from mmvideomamba.engine.loops.resumable_loader import (PlacedBatches,
                                                        ResumableLoader,
                                                        SeededDataset,
                                                        can_resume)
from mmvideomamba.engine.loops.worker_signals import WorkerStart


def draw() -> List[float]:
    return [random.random(), np.random.rand(), torch.rand(()).item()]


class Noise(Dataset):
    """Samples of a number and draws of the three generators."""
    metainfo = dict(name='noise')

    def __init__(self, size: int = 7) -> None:
        self.size = size

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: int) -> List[float]:
        return [int(index), *draw()]


class Spread(SequentialSampler):
    """Note the sizes asked for by ShardSampler."""
    told: tuple = ()
    streams = 1

    def spread(self, num_workers: int, batch_size: int) -> None:
        self.told = num_workers, batch_size


def loader(num_workers: int = 0,
           size: int = 7,
           seed: int = 3,
           draws: bool = True,
           batch_size: int = 2,
           **kwargs) -> ResumableLoader:
    whole = DataLoader(
        Noise(size),
        batch_size=batch_size,
        num_workers=num_workers,
        collate_fn=list,
        **kwargs)
    return ResumableLoader(whole, seed, 5, draws)


def numbers(batches: list) -> list:
    return [[sample[0] for sample in batch] for batch in batches]


def test_an_epoch_from_its_middle() -> None:
    whole = list(loader())
    assert numbers(whole) == [[0, 1], [2, 3], [4, 5], [6]]
    rest = loader()
    random.random()  # earlier draws do not matter
    rest.start_at(2)
    assert list(rest) == whole[2:]
    assert list(rest) == whole[2:]
    rest.set_epoch(1)
    assert numbers(rest) == numbers(whole[2:])
    assert list(rest) != whole[2:]
    assert len({sample[1] for batch in whole for sample in batch}) == 7
    assert len({sample[3] for batch in whole for sample in batch}) == 7


def test_seed_and_number_of_the_loader_decide() -> None:
    whole, other = list(loader()), loader(seed=4)
    assert list(other) != whole
    other.reseed(3)
    assert list(other) == whole
    other = ResumableLoader(
        DataLoader(Noise(), batch_size=2, collate_fn=list), 3, 6)
    assert list(other) != whole


def test_samples_that_are_left_out_are_not_drawn() -> None:
    asked = []

    class Asked(SequentialSampler):

        def __iter__(self):
            for index in super().__iter__():
                asked.append(index)
                yield index

    loader_ = ResumableLoader(
        DataLoader(Noise(), batch_size=2, sampler=Asked(Noise())), 3)
    loader_.start_at(3)
    places = [place for batch in loader_.batch_sampler for place in batch]
    assert [(int(x), x.position) for x in places] == [(6, 6)]
    assert asked == [*range(7)]  # numbers alone, no batch


@pytest.mark.slow
@pytest.mark.parametrize('kwargs', [
    dict(num_workers=1),
    dict(num_workers=4),
    dict(num_workers=2, persistent_workers=True),
])
def test_workers_draw_the_same(kwargs: dict) -> None:
    whole = list(loader())
    other = loader(**kwargs)
    assert list(other) == whole
    other.start_at(2)
    assert list(other) == whole[2:]


@pytest.mark.parametrize('sampler', [DefaultSampler, InfiniteSampler])
def test_samples_of_two_processes_are_those_of_one(
        monkeypatch: pytest.MonkeyPatch, sampler: type) -> None:
    """With the same number of samples per batch over all processes."""
    count = 7  # more than a pass through the data

    def batches(rank: int, world: int, start: int) -> list:
        for module in ('mmengine.dataset.sampler', placed_sampler.__name__):
            monkeypatch.setattr(f'{module}.get_dist_info', lambda:
                                (rank, world))
        one = loader(
            size=8,
            batch_size=4 // world,
            sampler=sampler(Noise(8), shuffle=True, seed=9))
        if sampler is DefaultSampler:
            return [x for e in range(start // 2, 4) for x in epoch(one, e)]
        one.start_at(start)
        found = iter(one)
        return [next(found) for _ in range(count - start)]

    def epoch(one: ResumableLoader, number: int) -> list:
        one.set_epoch(number)
        return list(one)

    alone = [sorted(x) for x in batches(0, 1, 0)]
    both = [
        sorted([*a, *b]) for a, b in zip(batches(0, 2, 0), batches(1, 2, 0))
    ]
    assert both == alone
    assert [sorted(x) for x in batches(0, 1, 4)] == alone[4:]
    first = [int(x[0]) for batch in alone[:2] for x in batch]
    assert sorted(first) == [*range(8)]
    assert alone[:2] != alone[2:4]


def test_endless_sampler_begins_anywhere() -> None:

    def start(batch: int) -> list:
        one = loader(sampler=InfiniteSampler(Noise(), shuffle=False, seed=1))
        assert one.endless
        assert one.layout()['batches'] is None
        one.start_at(batch)
        return numbers([x for x, _ in zip(one, range(3))])

    assert start(0) == [[0, 1], [2, 3], [4, 5]]
    assert start(2) == [[4, 5], [6, 0], [1, 2]]
    assert start(70_000_000) == [[0, 1], [2, 3], [4, 5]]


def test_own_batch_sampler() -> None:

    class Pairs(BatchSampler):
        """Batches of an own kind."""

    one = ResumableLoader(
        DataLoader(
            Noise(),
            batch_sampler=Pairs(SequentialSampler(Noise()), 2, True),
            collate_fn=list), 3)
    one.start_at(1)
    assert numbers(one) == [[2, 3], [4, 5]]


def test_without_draws_by_place() -> None:
    """As validation and test: the generators of the process decide."""
    found = []
    for _ in range(2):
        torch.manual_seed(5)
        random.seed(5)
        np.random.seed(5)
        found.append(list(loader(draws=False)))
        expected = draw()
    assert found[0] == found[1]
    torch.manual_seed(5)
    random.seed(5)
    np.random.seed(5)
    list(loader(draws=True))
    assert draw() != expected


def test_sampler_of_shards_is_told_how_they_are_read() -> None:
    sampler = Spread(Noise())
    one = loader(sampler=sampler)
    assert sampler.told == (0, 2)
    assert one.layout() == {
        'samples': 7,
        'samples per batch': 2,
        'batches': 4,
        'streams': 1,
        'processes': 1
    }


def test_epoch_reaches_the_sampler() -> None:
    sampler = DefaultSampler(Noise())
    loader(sampler=sampler).set_epoch(4)
    assert sampler.epoch == 4


def test_attributes_of_the_loader_inside() -> None:
    inside = DataLoader(
        Noise(), batch_size=2, drop_last=True, sampler=DefaultSampler(Noise()))
    one = ResumableLoader(inside, 3)
    assert (one.batch_size, one.drop_last, len(one)) == (2, True, 3)
    assert one.sampler is inside.sampler
    assert one.dataset.metainfo == dict(name='noise')
    assert isinstance(one.worker_init_fn, WorkerStart)
    assert one.order_seeds == [inside.sampler.seed]
    one.order_seeds = [12]
    assert inside.sampler.seed == 12


def test_data_set_inside_of_torch_is_asked_by_sample() -> None:
    """torch asks a Subset for whole batches."""
    one = DataLoader(Subset(Noise(), [4, 2]), batch_size=2, collate_fn=list)
    (first, ), (second, ) = (list(ResumableLoader(one, 3)) for _ in range(2))
    assert first == second and [x[0] for x in first] == [4, 2]


def test_seeded_data_set_can_be_copied() -> None:
    one = SeededDataset(Noise(), (3, 4))
    assert len(pickle.loads(pickle.dumps(one))) == 7
    with pytest.raises(AttributeError):
        one.nothing
    assert len(one[2]) == 4  # a plain number is not seeded


def test_workers_can_be_spawned() -> None:
    """A spawned worker gets the loader's parts as bytes."""
    one = loader(num_workers=2)
    parts = (one.dataset, one.worker_init_fn)
    assert len(ForkingPickler.loads(ForkingPickler.dumps(parts))) == 2


def test_what_cannot_resume() -> None:

    class Stream(IterableDataset):

        def __iter__(self):
            return iter(())

    assert can_resume(DataLoader(Noise()))
    assert not can_resume(DataLoader(Noise(), batch_size=None))
    assert not can_resume(DataLoader(Stream()))


def test_batches_are_placed_once() -> None:
    inner = BatchSampler(SequentialSampler(Noise()), 2, False)
    first = PlacedBatches(inner, 1).sampler
    assert PlacedBatches(inner, 1).sampler is first
    assert resumable_loader.PlacedSampler is type(first)
