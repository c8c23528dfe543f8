"""Loaders of data that can start in the middle of an epoch."""
import random
from contextlib import contextmanager
from typing import Any, Iterator, List, Sequence, Tuple

import numpy as np
import torch
from mmengine.dist import get_rank
from torch.utils.data import DataLoader, Dataset

# What a loader keeps when its samples are replaced by seeded ones.
KEPT = ('num_workers', 'collate_fn', 'pin_memory', 'timeout', 'worker_init_fn',
        'multiprocessing_context', 'generator', 'prefetch_factor',
        'persistent_workers')


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed Python's, NumPy's and torch's CPU generators for a while.

    Args:
        seed (int): 32 bits.
    """
    states = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices=[]):
        random.seed(seed)
        np.random.seed(seed)
        # torch.manual_seed would also queue seeds for each accelerator.
        torch.default_generator.manual_seed(seed)
        try:
            yield
        finally:
            random.setstate(states[0])
            np.random.set_state(states[1])


class SeededDataset(Dataset):
    """Samples that are drawn with the seed that comes with their number.

    Args:
        dataset (Dataset): Has the samples.
    """

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, item: Tuple[Any, int]) -> Any:
        index, seed = item
        with seeded(seed):
            return self.dataset[index]


class SeededBatches:
    """Batches of sample numbers, each with a seed, from any batch on.

    Args:
        batches (BatchSampler): Draws the numbers.
        key (Sequence[int]): What the seeds depend on, beside epoch, process
            and place in the epoch.
    """

    def __init__(self, batches: Any, key: Sequence[int]) -> None:
        self.batches, self.key = batches, tuple(key)
        self.epoch, self.start = 0, 0

    @property
    def sampler(self) -> Any:
        """What orders the samples."""
        return self.batches.sampler

    def set_epoch(self, epoch: int) -> None:
        """Tell what to shuffle by.

        Args:
            epoch (int): Number of the epoch.
        """
        self.epoch = epoch
        if hasattr(self.sampler, 'set_epoch'):
            self.sampler.set_epoch(epoch)

    def start_at(self, batch: int) -> None:
        """Leave out batches, from now on.

        Args:
            batch (int): Number of the first of an epoch that is yielded.
        """
        # Not for one epoch: a loader with workers asks for batches twice.
        self.start = batch

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[List[Tuple[int, int]]]:
        for number, batch in enumerate(self.batches):
            if number < self.start:
                continue
            source = np.random.SeedSequence(
                [*self.key, self.epoch,
                 get_rank(), number])
            seeds = source.generate_state(len(batch)).tolist()
            yield list(zip(batch, seeds))


def resumable(loader: DataLoader, key: Sequence[int]) -> DataLoader:
    """Let a loader draw samples by their place and start in mid-epoch.

    What a sample looks like then depends on its place in the epoch alone: on
    no sample before it, and on no number of workers.

    Args:
        loader (DataLoader): Of a data set with numbered samples.
        key (Sequence[int]): See ``SeededBatches``.

    Returns:
        DataLoader: The same, with ``SeededBatches`` as its batch sampler.
    """
    sampler = loader.batch_sampler.sampler
    if hasattr(sampler, 'spread'):
        sampler.spread(loader.num_workers, loader.batch_sampler.batch_size)
    return DataLoader(
        SeededDataset(loader.dataset),
        batch_sampler=SeededBatches(loader.batch_sampler, key),
        **{name: getattr(loader, name)
           for name in KEPT})
