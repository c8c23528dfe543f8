"""Samples depend on their place in the epoch, on nothing read before."""
import random
from typing import Dict, List

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset, SequentialSampler

from mmvideomamba.engine.loops import resumable_loader
from mmvideomamba.engine.loops.resumable_loader import (SeededBatches,
                                                        resumable, seeded)


def draw() -> List[float]:
    return [random.random(), np.random.rand(), torch.rand(()).item()]


class Noise(Dataset):
    """Samples of a number and draws of the three generators."""

    def __len__(self) -> int:
        return 7

    def __getitem__(self, index: int) -> List[float]:
        return [index, *draw()]


class Spread(SequentialSampler):
    """Note the sizes that ShardSampler asks for."""
    told: tuple = ()

    def spread(self, num_workers: int, batch_size: int) -> None:
        self.told = num_workers, batch_size


def loader(num_workers: int = 0, **kwargs) -> DataLoader:
    whole = DataLoader(
        Noise(),
        batch_size=2,
        num_workers=num_workers,
        collate_fn=list,
        **kwargs)
    return resumable(whole, key=(3, 5))


def test_seeded_draws_leave_the_generators_as_they_were() -> None:
    inside: Dict[int, List[list]] = {1: [], 2: []}
    random.seed(9)
    np.random.seed(9)
    torch.manual_seed(9)
    expected = [draw() for _ in range(4)]
    random.seed(9)
    np.random.seed(9)
    torch.manual_seed(9)
    found = []
    for seed in (1, 2, 1, 2):
        with seeded(seed):
            inside[seed].append(draw())
        found.append(draw())
    assert found == expected
    assert inside[1][0] == inside[1][1] and inside[2][0] == inside[2][1]
    # Each of the three generators got the seed.
    assert not set(inside[1][0]) & set(inside[2][0])


def test_generators_are_restored_after_an_error() -> None:
    random.seed(9)
    wanted = random.random()
    random.seed(9)
    with pytest.raises(KeyError), seeded(1):
        raise KeyError
    assert random.random() == wanted


def test_seeds_of_a_batch(monkeypatch) -> None:
    """A hash of key, epoch, process and number of the batch."""
    batches = SeededBatches([[4, 1], [0, 3], [2]], key=[3, 5])
    batches.epoch = 6
    monkeypatch.setattr(resumable_loader, 'get_rank', lambda: 1)
    batches.start_at(1)
    for _ in range(2):  # A loader with workers asks twice.
        found = list(batches)
        assert [[i for i, _ in batch] for batch in found] == [[0, 3], [2]]
        seeds = [seed for batch in found for _, seed in batch]
        wanted = [
            *np.random.SeedSequence([3, 5, 6, 1, 1]).generate_state(2),
            *np.random.SeedSequence([3, 5, 6, 1, 2]).generate_state(1)
        ]
        assert seeds == wanted
    assert len(batches) == 3


def test_an_epoch_from_its_middle() -> None:
    whole = list(loader())
    assert [sample[0] for batch in whole for sample in batch] == [*range(7)]
    rest = loader()
    random.random()  # What was drawn before does not matter.
    rest.batch_sampler.start_at(2)
    assert list(rest) == whole[2:]
    rest.batch_sampler.set_epoch(1)
    assert list(rest) != whole[2:]
    draws = {sample[1] for batch in whole for sample in batch}
    assert len(draws) == 7


@pytest.mark.slow
@pytest.mark.parametrize('num_workers', [1, 2])
def test_workers_draw_the_same(num_workers: int) -> None:
    assert list(loader(num_workers)) == list(loader())


def test_a_sampler_of_shards_is_told_how_they_are_read() -> None:
    sampler = Spread(Noise())
    loader(sampler=sampler)
    assert sampler.told == (0, 2)


def test_the_epoch_reaches_the_sampler() -> None:

    class Shuffled(SequentialSampler):
        epoch = 0

        def set_epoch(self, epoch: int) -> None:
            self.epoch = epoch

    sampler = Shuffled(Noise())
    loader(sampler=sampler).batch_sampler.set_epoch(4)
    assert sampler.epoch == 4
