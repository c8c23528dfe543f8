"""Sampler for whole shards: a worker reads a shard from start to end."""
import math
from typing import Any, Iterator, Optional

import numpy as np
from mmengine.dist import get_dist_info, sync_random_seed
from torch.utils.data import Sampler

from mmvideomamba.registry import DATA_SAMPLERS


def cut(stretches: np.ndarray, start: int, end: int) -> np.ndarray:
    """Take a part of consecutive stretches of samples.

    Args:
        stretches (np.ndarray): First sample and end of each, shape (k, 2).
        start (int): First position, counted over all stretches.
        end (int): Position after the last.

    Returns:
        np.ndarray: First sample and end of each stretch within the part,
        shape (m, 2), none empty.
    """
    sizes = stretches[:, 1] - stretches[:, 0]
    offsets = np.cumsum(sizes) - sizes
    edges = np.stack([start - offsets, end - offsets], axis=1)
    found = stretches[:, :1] + np.clip(edges, 0, sizes[:, None])
    return found[found[:, 0] < found[:, 1]]


@DATA_SAMPLERS.register_module()
class ShardSampler(Sampler):
    """Shuffle a ``CaptionDataset`` or ``ShardVideoDataset`` by shards.

    In each epoch the shards are put in an order drawn from seed and epoch.
    The order is cut into a share per process, all of equal size, and each
    process share into a share per worker. A worker reads ``open_shards``
    shards at a time, each from start to end, taking turns between the shards
    at random, and passes the samples through a shuffle buffer. So each sample
    comes once per epoch, up to the samples repeated or left out by
    ``round_up``; a shard is opened by a single worker, or by two workers where
    a cut goes through the shard; and memory does not grow with the samples.
    Sources other than shards count as shards of a thousand entries.

    ``ResumeHook`` and ``ModalityTrainLoop`` tell the sampler ``num_workers``
    and ``batch_size``. Without them the config repeats both from the data
    loader. Wrong ones cost time, but no sample: the workers then read in the
    same shards.

    Args:
        dataset (CaptionDataset | ShardVideoDataset): The data set.
        shuffle (bool): Whether to shuffle shards and samples. Defaults to
            True.
        seed (int, optional): The same on each process. Defaults to None, a
            seed drawn by rank 0 for all processes.
        round_up (bool): Whether samples from the start of the order fill up
            the shares to equal size; else fewer samples than processes are
            left out, other samples in each epoch. Defaults to True.
        num_workers (int): Of the data loader. Defaults to 0.
        batch_size (int): Of the data loader. Defaults to 1.
        open_shards (int): Shards read by a worker in turns. Defaults to 4.
        buffer_size (int): Samples shuffled with each other. The buffer holds
            sample numbers only, the media are read later, in the final order;
            1 keeps the order within each shard. Defaults to 1000.

    Raises:
        ValueError: If the data set tells no shards, has fewer samples than
            there are processes and is not rounded up, or a number is too
            small.
    """

    def __init__(self,
                 dataset: Any,
                 shuffle: bool = True,
                 seed: Optional[int] = None,
                 round_up: bool = True,
                 num_workers: int = 0,
                 batch_size: int = 1,
                 open_shards: int = 4,
                 buffer_size: int = 1000) -> None:
        if not hasattr(dataset, 'stretches'):
            raise ValueError(
                'ShardSampler needs a CaptionDataset or a ShardVideoDataset, '
                f'but got {type(dataset).__name__}; take DefaultSampler')
        self.dataset, self.shuffle = dataset, shuffle
        # All processes cut their shares out of the same order, so all
        # processes need the same seed.
        self.seed = sync_random_seed() if seed is None else seed
        self.epoch = 0
        self.rank, self.world_size = get_dist_info()
        fill = self.world_size - 1 if round_up else 0
        self.num_samples = (len(dataset) + fill) // self.world_size
        if not self.num_samples:
            raise ValueError(f'{len(dataset)} samples are fewer than '
                             f'{self.world_size} processes; set '
                             'round_up=True')
        for name, value in (('open_shards', open_shards), ('buffer_size',
                                                           buffer_size)):
            if value < 1:
                raise ValueError(f'{name} of ShardSampler must be at least '
                                 f'1, but is {value}')
        self.open_shards, self.buffer_size = open_shards, buffer_size
        self.spread(num_workers, batch_size)

    def spread(self, num_workers: int, batch_size: int) -> None:
        """Tell how the data loader hands out the samples.

        Args:
            num_workers (int): Workers; the loader serves workers in turns.
            batch_size (int): Samples per batch.

        Raises:
            ValueError: If a number is too small.
        """
        if num_workers < 0 or batch_size < 1:
            raise ValueError('ShardSampler needs num_workers from 0 and '
                             'batch_size from 1 on, but got '
                             f'{num_workers} and {batch_size}')
        self.streams, self.batch_size = max(num_workers, 1), batch_size

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch for the next shuffle.

        Args:
            epoch (int): Number of the epoch.
        """
        self.epoch = epoch

    def __len__(self) -> int:
        """Return the samples of this process."""
        return self.num_samples

    def __iter__(self) -> Iterator[int]:
        """Yield the samples of this process, batch by batch."""
        batches, rest = divmod(self.num_samples, self.batch_size)
        # torch's data loader hands batch i to worker i modulo num_workers.
        turns = np.arange(batches + (rest > 0)) % self.streams
        sizes = np.bincount(turns, minlength=self.streams) * self.batch_size
        if rest:
            sizes[turns[-1]] -= self.batch_size - rest
        shards = self._shards()
        start = self.rank * self.num_samples
        ends = start + np.cumsum(sizes)
        streams = [
            self._stream(number, cut(shards, end - size, end))
            for number, (size, end) in enumerate(zip(sizes, ends))
        ]
        for turn in turns:
            for _ in range(min(self.batch_size, sizes[turn])):
                yield next(streams[turn])
                sizes[turn] -= 1

    def _shards(self) -> np.ndarray:
        """Return the shards in the order of the epoch, filled up: (k, 2)."""
        ends = self.dataset.stretches()
        shards = np.stack([np.append(0, ends[:-1]), ends], axis=1)
        if self.shuffle:
            # Without the rank: the order of the shards is the same in all
            # processes.
            rng = np.random.default_rng([self.seed, self.epoch])
            shards = rng.permutation(shards)
        # The order repeats from the start: the last process reads up to
        # world_size - 1 samples beyond the set under round_up.
        needed = self.num_samples * self.world_size
        return np.concatenate([shards] * math.ceil(needed / len(self.dataset)))

    def _stream(self, number: int, shards: np.ndarray) -> Iterator[int]:
        """Yield the samples of a worker."""
        if not self.shuffle:
            for start, end in shards.tolist():
                yield from range(start, end)
            return
        rng = np.random.default_rng([self.seed, self.epoch, self.rank, number])
        held = np.empty(0, np.int64)
        for i in range(0, len(shards), self.open_shards):
            mixed = self._mix(shards[i:i + self.open_shards], rng)
            held = np.concatenate([held, mixed])
            while len(held) >= self.buffer_size:
                yield from rng.permutation(held[:self.buffer_size]).tolist()
                held = held[self.buffer_size:]
        yield from rng.permutation(held).tolist()

    @staticmethod
    def _mix(shards: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Interleave shards at random, each shard in stored order."""
        sizes = shards[:, 1] - shards[:, 0]
        turns = rng.permutation(np.repeat(np.arange(len(shards)), sizes))
        mixed = np.empty(len(turns), np.int64)
        # A stable sort keeps the turns of a shard in order, so a tar file is
        # read from start to end without a seek.
        mixed[np.argsort(turns, kind='stable')] = np.concatenate(
            [np.arange(*shard) for shard in shards])
        return mixed
