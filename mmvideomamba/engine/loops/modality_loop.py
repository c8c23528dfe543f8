"""Training on batches of videos and batches of images, one kind at a time."""
from typing import Any, Dict, Iterator, List, Optional, Tuple

import numpy as np
from mmengine.runner import EpochBasedTrainLoop, Runner
from torch.utils.data import ConcatDataset, DataLoader

from mmvideomamba.registry import LOOPS


class ModalityLoader:
    """Loaders of several modalities that look like one.

    Each is gone through once per epoch. Which of them the next batch comes
    from is drawn from seed and epoch alone, so that all processes agree and
    a resumed training goes on in the same order.

    Args:
        loaders (dict[str, DataLoader]): By modality.
        seed (int): The same on each process.

    Raises:
        ValueError: If a loader has no batch.
    """

    def __init__(self, loaders: Dict[str, DataLoader], seed: int) -> None:
        for name, loader in loaders.items():
            if not len(loader):
                raise ValueError(
                    f'the loader of {name}s has no batch: '
                    f'{len(loader.dataset)} samples are fewer than one batch '
                    'on each process; take a smaller batch_size')
        self.loaders, self.seed = loaders, seed
        self.epoch = 0
        self.dataset = ConcatDataset([x.dataset for x in loaders.values()])
        self.dataset.metainfo = {}
        # The host's hook sets the epoch of a loader's sampler.
        self.sampler = self

    def set_epoch(self, epoch: int) -> None:
        """Tell what to shuffle by.

        Args:
            epoch (int): Number of the epoch.
        """
        self.epoch = epoch
        for loader in self.loaders.values():
            for sampler in (loader.sampler,
                            getattr(loader.batch_sampler, 'sampler', None)):
                if hasattr(sampler, 'set_epoch'):
                    sampler.set_epoch(epoch)
                    break

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
        batches = {name: iter(x) for name, x in self.loaders.items()}
        for name in self.order():
            yield next(batches[name])

    @property
    def persistent_workers(self) -> bool:
        """Whether workers of a loader live on."""
        return any(x.persistent_workers for x in self.loaders.values())

    @property
    def worker_init_fn(self) -> Any:
        """What starts a worker; the same for all loaders."""
        return next(iter(self.loaders.values())).worker_init_fn

    @worker_init_fn.setter
    def worker_init_fn(self, start: Any) -> None:
        for loader in self.loaders.values():
            loader.worker_init_fn = start


@LOOPS.register_module()
class ModalityTrainLoop(EpochBasedTrainLoop):
    """Train by epochs on videos and images, one modality per iteration.

    In each iteration all processes take a batch of the same modality. The
    batches of both are shuffled together, and an epoch takes each once.
    Resumes at the start of an epoch; ``ResumableSeedHook`` makes it repeat
    an uninterrupted training.

    Args:
        runner (Runner): The runner.
        dataloader (dict | DataLoader): Of the videos.
        max_epochs (int): Epochs.
        image_dataloader (dict): Of the images.
        val_begin (int): First epoch that is validated. Defaults to 1.
        val_interval (int): Epochs from validation to validation. Defaults to
            1.
        dynamic_intervals (list[tuple[int, int]], optional): See the host.
            Defaults to None.

    Source: VideoMamba, arXiv:2403.06977, Section 4.4.
    """

    def __init__(
            self,
            runner: Runner,
            dataloader: Any,
            max_epochs: int,
            image_dataloader: dict,
            val_begin: int = 1,
            val_interval: int = 1,
            dynamic_intervals: Optional[List[Tuple[int, int]]] = None) -> None:
        different = bool(runner._randomness_cfg.get('diff_rank_seed', False))
        loaders = {}
        for name, one in (('video', dataloader), ('image', image_dataloader)):
            if isinstance(one, dict):
                one = runner.build_dataloader(
                    one, seed=runner.seed, diff_rank_seed=different)
            loaders[name] = one
        super().__init__(runner, ModalityLoader(loaders,
                                                runner.seed), max_epochs,
                         val_begin, val_interval, dynamic_intervals)
