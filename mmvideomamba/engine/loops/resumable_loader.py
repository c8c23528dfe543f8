"""Loaders of data with a start at any batch, and a life beyond workers."""
from itertools import islice
from typing import Any, Dict, Iterator, List, Optional, Sequence

from mmengine.dist import get_world_size
from torch.utils.data import (BatchSampler, DataLoader, Dataset,
                              IterableDataset, get_worker_info)

from mmvideomamba.datasets.samplers import Place, PlacedSampler
from mmvideomamba.engine.seeding import derive_seed, seed_cpu, seeded
from .packed_batch import PackedCollate
from .worker_deaths import Introduce, WorkerDeaths
from .worker_signals import keep_workers

# Attributes of the host's loader that stay.
KEPT = ('num_workers', 'collate_fn', 'pin_memory', 'timeout', 'worker_init_fn',
        'multiprocessing_context', 'generator', 'prefetch_factor',
        'persistent_workers')


class SeededDataset(Dataset):
    """Samples drawn with a seed from the place in the training.

    All further attributes are those of the data set inside.

    Args:
        dataset (Dataset): Has the samples.
        key (Sequence[int], optional): Source of the seeds, besides epoch and
            position. Defaults to None, no seeds.
        deaths (WorkerDeaths, optional): Is told the samples being read.
            Defaults to None.
    """

    def __init__(self,
                 dataset: Any,
                 key: Optional[Sequence[int]] = None,
                 deaths: Optional[WorkerDeaths] = None) -> None:
        self.dataset, self.key = dataset, key
        self.board = None if deaths is None else deaths.board

    def __len__(self) -> int:
        return len(self.dataset)

    def __getattr__(self, name: str) -> Any:
        # Not yet set while being copied; torch's __getitems__ takes a way
        # around __getitem__.
        if name == 'dataset' or name.startswith('__'):
            raise AttributeError(name)
        return getattr(self.dataset, name)

    def __getitem__(self, place: int) -> Any:
        if self.board is not None:
            # -1 until a data set under a policy notes the sample by the set's
            # number.
            self.board.enter(-1, int(place))
        try:
            if self.key is None or not isinstance(place, Place):
                return self.dataset[place]
            seed = derive_seed(*self.key, place.epoch, place.position)
            if get_worker_info() is not None:
                seed_cpu(seed)  # a worker draws nothing but samples
                return self.dataset[place]
            with seeded(seed):
                return self.dataset[place]
        finally:
            if self.board is not None:
                self.board.leave()


class PlacedBatches:
    """Batches of places of samples, from any batch of an epoch on.

    Args:
        batches (BatchSampler): Draws the numbers of the samples.
        seed (int): Of the training, the same on each process.
    """

    def __init__(self, batches: Any, seed: int) -> None:
        self.batches = batches
        self.start = 0
        if not isinstance(batches.sampler, PlacedSampler):
            batches.sampler = PlacedSampler(batches.sampler, seed)

    @property
    def sampler(self) -> PlacedSampler:
        """Sampler that orders the samples."""
        return self.batches.sampler

    def set_epoch(self, epoch: int) -> None:
        """Shuffle by an epoch.

        Args:
            epoch (int): Number of the epoch.
        """
        self.sampler.own_epoch = epoch
        if hasattr(self.sampler.sampler, 'set_epoch'):
            self.sampler.sampler.set_epoch(epoch)

    def start_at(self, batch: int) -> None:
        """Leave out batches, from now on.

        Args:
            batch (int): Number of the first batch that comes.
        """
        # Not for one epoch: a loader with workers asks for batches twice.
        self.start = batch

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[List[Place]]:
        if type(self.batches) is not BatchSampler:
            return islice(iter(self.batches), self.start, None)
        # Numbers left out cost no sample.
        self.sampler.first = self.start * self.batches.batch_size
        found: Any = iter(self.batches)
        return found


def can_resume(loader: Any) -> bool:
    """Tell whether a loader's samples have numbers.

    Args:
        loader (DataLoader): Any loader.

    Returns:
        bool: False without automatic batches, and for a stream.
    """
    return hasattr(loader.batch_sampler, 'sampler') and not isinstance(
        loader.dataset, IterableDataset)


class ResumableLoader(DataLoader):
    """Start at any batch, and go on after the death of a worker.

    A sample depends on the training's seed and the place in the training
    alone: on no earlier sample, and on no number of workers or processes.
    See ``WorkerDeaths`` for dead workers, ``keep_workers`` for signals.

    Args:
        loader (DataLoader): Of a data set with numbered samples, not yet
            iterated over; see ``can_resume``.
        seed (int): Of the training, the same on each process.
        number (int): Tells loaders of one training apart. Defaults to 0.
        draws (bool): Whether the samples are drawn by their places; else by
            the generators of the process or worker. Defaults to True.
    """

    def __init__(self,
                 loader: DataLoader,
                 seed: int,
                 number: int = 0,
                 draws: bool = True) -> None:
        self.batch_sampler: Any
        self.dataset: Any
        batches: Any = loader.batch_sampler
        sampler = batches.sampler
        size = getattr(batches, 'batch_size', loader.batch_size)
        if hasattr(sampler, 'spread'):
            sampler.spread(loader.num_workers, size)
        deaths = WorkerDeaths(
            loader.dataset, loader.num_workers) if loader.num_workers else None
        super().__init__(
            SeededDataset(loader.dataset, (seed, number) if draws else None,
                          deaths),
            batch_sampler=PlacedBatches(batches, seed),
            **{name: getattr(loader, name)
               for name in KEPT})
        self.deaths, self.number = deaths, number
        self.collate_fn = PackedCollate(self.collate_fn)
        # torch forgets the attributes of a batch sampler.
        self.__dict__.update(
            batch_size=size, drop_last=loader.drop_last, sampler=sampler)
        if deaths is not None:
            self.worker_init_fn = Introduce(deaths.board, self.worker_init_fn)
        keep_workers(self)

    def reseed(self, seed: int) -> None:
        """Change the seed of the training, before the first batch.

        Args:
            seed (int): The same on each process.
        """
        if self.dataset.key is not None:
            self.dataset.key = (seed, self.number)
        self.batch_sampler.sampler.seed = seed

    @property
    def order_seeds(self) -> List[Optional[int]]:
        """Seeds by which the samplers shuffle."""
        return [getattr(self.sampler, 'seed', None)]

    @order_seeds.setter
    def order_seeds(self, seeds: Sequence[Optional[int]]) -> None:
        for seed in seeds:
            if seed is not None and hasattr(self.sampler, 'seed'):
                self.sampler.seed = seed

    @property
    def endless(self) -> bool:
        """Whether the sampler goes through the data again and again."""
        return self.batch_sampler.sampler.endless

    def set_epoch(self, epoch: int) -> None:
        """Shuffle by an epoch.

        Args:
            epoch (int): Number of the epoch.
        """
        self.batch_sampler.set_epoch(epoch)

    def start_at(self, batch: int) -> None:
        """Leave out batches, from now on.

        Args:
            batch (int): Number of the first batch that comes.
        """
        self.batch_sampler.start_at(batch)

    def layout(self) -> Dict[str, Any]:
        """Return the sizes without which an epoch cannot go on.

        Returns:
            dict: Numbers of samples, of samples in a batch of all processes,
            and of batches.
        """
        layout: Dict[str, Any] = {
            'samples': len(self.dataset),
            # Over all processes: a training may go on with other numbers of
            # processes and the same samples in each step.
            'samples per batch': self.batch_size * get_world_size(),
            'batches': None if self.endless else len(self)
        }
        if hasattr(self.sampler, 'streams'):
            layout.update(
                streams=self.sampler.streams, processes=get_world_size())
        return layout

    # A generator, where torch promises an iterator of a class of its own.
    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        if self.deaths is None:
            yield from super().__iter__()
            return
        first = done = self.batch_sampler.start
        batches: Any = None
        try:
            while True:
                try:
                    if batches is None:
                        batches = super().__iter__()
                    batch = self.deaths.wait(batches)
                except StopIteration:
                    return
                except RuntimeError as error:
                    self.deaths.survive(error)
                    batches = None
                if batches is None:
                    # Outside of the block, as the error keeps the workers.
                    self._iterator = None
                    # Batches read ahead are lost with the workers, so the
                    # count is of batches handed out.
                    self.start_at(done)
                    continue
                done += 1
                yield batch
        finally:
            # A death has moved the start, and the next pass has to begin as
            # asked.
            self.start_at(first)
