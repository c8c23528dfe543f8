"""Training on batches of videos and batches of images, one kind at a time."""
from collections import Counter
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple

import numpy as np
from mmengine.runner import EpochBasedTrainLoop, Runner
from torch.utils.data import ConcatDataset, DataLoader

from mmvideomamba.engine.seeding import shared_seed
from mmvideomamba.registry import LOOPS
from .resumable_loader import ResumableLoader, can_resume
from .resumable_loops import ResumableEpochLoop


class ModalityLoader:
    """Loaders of several modalities in the form of a single loader.

    An epoch goes through each loader once. The modality of the next batch is
    drawn from seed and epoch alone: all processes agree, and a resumed
    training goes on in the same order. See ``ResumableLoader`` for the draws
    of the samples.

    Args:
        loaders (dict[str, DataLoader]): By modality.
        seed (int): The same on each process.

    Raises:
        ValueError: If a loader has no batch, or data without numbers.
    """

    def __init__(self, loaders: Dict[str, DataLoader], seed: int) -> None:
        dataset: Any
        for name, loader in loaders.items():
            dataset = loader.dataset
            if not can_resume(loader):
                raise ValueError(
                    f'the loader of {name}s needs batch_size and a data set '
                    'with numbered samples; for tar shards take '
                    'CaptionDataset and ShardSampler')
            if not len(loader):
                raise ValueError(
                    f'the loader of {name}s has no batch: '
                    f'{len(dataset)} samples are fewer than one batch '
                    'on each process; take a smaller batch_size')
        dataset = ConcatDataset([x.dataset for x in loaders.values()])
        # The host's loop warns of a data set without metainfo.
        dataset.metainfo = {}
        self.dataset = dataset
        self.loaders = {
            name: ResumableLoader(loader, seed, number)
            for number, (name, loader) in enumerate(loaders.items())
        }
        self.seed, self.epoch, self.start = seed, 0, 0
        # The host's hook sets the epoch of a loader's sampler.
        self.sampler = self

    def reseed(self, seed: int) -> None:
        """Change the seed of the training, before the first batch.

        Args:
            seed (int): The same on each process.
        """
        self.seed = seed
        for loader in self.loaders.values():
            loader.reseed(seed)

    @property
    def order_seeds(self) -> List[Optional[int]]:
        """Seeds by which the samplers shuffle."""
        return [
            seed for loader in self.loaders.values()
            for seed in loader.order_seeds
        ]

    @order_seeds.setter
    def order_seeds(self, seeds: Sequence[Optional[int]]) -> None:
        for loader, seed in zip(self.loaders.values(), seeds):
            loader.order_seeds = [seed]

    def set_epoch(self, epoch: int) -> None:
        """Shuffle by an epoch.

        Args:
            epoch (int): Number of the epoch.
        """
        self.epoch = epoch
        for loader in self.loaders.values():
            loader.set_epoch(epoch)

    def start_at(self, batch: int) -> None:
        """Leave out batches when the next epoch is gone through.

        Samples of the batches that are left out are not read.

        Args:
            batch (int): Number of the first batch that comes.
        """
        self.start = batch

    def layout(self) -> Dict[str, Any]:
        """Return the sizes without which an epoch cannot go on."""
        return {
            f'{name} {key}': value
            for name, loader in self.loaders.items()
            for key, value in loader.layout().items()
        }

    def order(self) -> List[str]:
        """Return the modality of each batch of the epoch."""
        slots = [
            name for name, loader in self.loaders.items()
            for _ in range(len(loader))
        ]
        rng = np.random.default_rng([self.seed, self.epoch])
        return [slots[i] for i in rng.permutation(len(slots))]

    def __len__(self) -> int:
        return sum(len(loader) for loader in self.loaders.values())

    def __iter__(self) -> Iterator[Any]:
        start, self.start = self.start, 0
        order = self.order()
        done = Counter(order[:start])
        for name, loader in self.loaders.items():
            loader.start_at(done[name])
        batches = {name: iter(x) for name, x in self.loaders.items()}
        for name in order[start:]:
            yield next(batches[name])


@LOOPS.register_module()
class ModalityTrainLoop(ResumableEpochLoop):
    """Train by epochs on videos and images, one modality per iteration.

    In each iteration all processes take a batch of the same modality. The
    batches of both are shuffled together, and an epoch takes each once.

    A resumed training goes on from any iteration, see ``ResumableEpochLoop``.

    Args:
        runner (Runner): The runner.
        dataloader (dict | DataLoader): Of the videos.
        max_epochs (int): Epochs.
        val_begin (int): First epoch that is validated. Defaults to 1.
        val_interval (int): Epochs from validation to validation. Defaults to
            1.
        dynamic_intervals (list[tuple[int, int]], optional): See the host.
            Defaults to None.
        image_dataloader (dict): Of the images.

    Raises:
        ValueError: If a modality has no batch, or as ``ResumableEpochLoop``
            says; shards need the same numbers of processes and workers.

    Source: VideoMamba, arXiv:2403.06977, Section 4.4.
    """

    def __init__(self,
                 runner: Runner,
                 dataloader: Any,
                 max_epochs: int,
                 val_begin: int = 1,
                 val_interval: int = 1,
                 dynamic_intervals: Optional[List[Tuple[int, int]]] = None,
                 *,
                 image_dataloader: dict) -> None:
        different = bool(runner._randomness_cfg.get('diff_rank_seed', False))
        loaders = {}
        for name, one in (('video', dataloader), ('image', image_dataloader)):
            if isinstance(one, dict):
                one = runner.build_dataloader(
                    one, seed=runner.seed, diff_rank_seed=different)
            loaders[name] = one
        EpochBasedTrainLoop.__init__(
            self, runner, ModalityLoader(loaders, shared_seed(runner)),
            max_epochs, val_begin, val_interval, dynamic_intervals)
        self._start_record()
