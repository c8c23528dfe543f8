"""Numbers of samples with a place in the training."""
from itertools import islice
from typing import Any, Iterator, Tuple

import torch
from mmengine.dataset import InfiniteSampler
from mmengine.dist import get_dist_info
from torch.utils.data import Sampler


class Place(int):
    """The number of a sample, with the sample's place in the training.

    A data set may use a place as any number. Wrappers of data sets pass
    differences and remainders on, and both keep the place.

    Args:
        index (int): Number of the sample.
        epoch (int): Number of the epoch. Defaults to 0.
        position (int): Position within the epoch, over all processes.
            Defaults to 0.
        seed (int): Of the training. Defaults to 0.
    """

    epoch: int
    position: int
    seed: int

    def __new__(cls,
                index: int,
                epoch: int = 0,
                position: int = 0,
                seed: int = 0) -> 'Place':
        place = super().__new__(cls, index)
        place.epoch, place.position, place.seed = epoch, position, seed
        return place

    # Of int there is one argument, of a place there are four.
    def __getnewargs__(  # type: ignore[override]
            self) -> Tuple[int, int, int, int]:
        return int(self), self.epoch, self.position, self.seed

    def __sub__(self, other: Any) -> 'Place':
        return Place(int(self) - other, self.epoch, self.position, self.seed)

    def __mod__(self, other: Any) -> 'Place':
        return Place(int(self) % other, self.epoch, self.position, self.seed)


class PlacedSampler(Sampler):
    """Turn the numbers of a sampler into places.

    Position i of process r among n processes is position i * n + r of the
    training, as the host's samplers deal out the numbers. The host's
    ``InfiniteSampler`` starts at any position at once: each pass through the
    data is shuffled by a separate seed.

    Args:
        sampler (Sampler): Draws the numbers, and has all further
            attributes.
        seed (int): The same on each process.

    Attributes:
        own_epoch (int): For a sampler without ``set_epoch``.
        first (int): Samples of this process to leave out at the start, on a
            resume.
    """

    def __init__(self, sampler: Any, seed: int) -> None:
        self.sampler, self.seed = sampler, seed
        self.own_epoch, self.first = 0, 0

    @property
    def endless(self) -> bool:
        """Whether the sampler goes through the data again and again."""
        # Not isinstance: a child of the host's sampler may draw in another
        # order.
        return type(self.sampler) is InfiniteSampler

    def __len__(self) -> int:
        return len(self.sampler)

    def __iter__(self) -> Iterator[Place]:
        epoch = int(getattr(self.sampler, 'epoch', self.own_epoch))
        rank, world = get_dist_info()
        numbers = self._endless() if self.endless else islice(
            self.sampler, self.first, None)
        for i, index in enumerate(numbers, self.first):
            yield Place(index, epoch, i * world + rank, self.seed)

    def _endless(self) -> Iterator[int]:
        """Yield numbers from ``first`` on, for ever.

        The host's own iterator can only be advanced draw by draw; a resume in
        a late epoch would then first shuffle every earlier pass.
        """
        (rank, world), size = get_dist_info(), self.sampler.size
        position, done = self.first * world + rank, -1
        while True:
            number, place = divmod(position, size)
            if number != done and self.sampler.shuffle:
                draws = torch.Generator().manual_seed(self.sampler.seed +
                                                      number)
                order = torch.randperm(size, generator=draws).tolist()
            done = number
            yield order[place] if self.sampler.shuffle else place
            position += world

    def __getattr__(self, name: str) -> Any:
        if name == 'sampler':  # not yet set, while being copied
            raise AttributeError(name)
        return getattr(self.sampler, name)
