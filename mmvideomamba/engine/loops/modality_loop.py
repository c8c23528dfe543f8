"""Training on batches of videos and batches of images, one kind at a time."""
from collections import Counter
from typing import Any, Dict, Iterator, List, Optional, Tuple

import numpy as np
from mmengine.dist import get_rank, get_world_size
from mmengine.runner import EpochBasedTrainLoop, Runner
from torch.utils.data import ConcatDataset, DataLoader, IterableDataset

from mmvideomamba.registry import LOOPS
from .resumable_loader import resumable

PROGRESS = 'modality_epoch'  # its key in the message hub


class ModalityLoader:
    """Loaders of several modalities that look like one.

    Each is gone through once per epoch. Which of them the next batch comes
    from is drawn from seed and epoch alone, so that all processes agree and
    a resumed training goes on in the same order; see ``resumable`` for what
    the samples depend on.

    Args:
        loaders (dict[str, DataLoader]): By modality.
        seed (int): The same on each process.

    Raises:
        ValueError: If a loader has no batch, or data without numbers.
    """

    # What samples draw depends on no worker.
    persistent_workers = False
    worker_init_fn = None

    def __init__(self, loaders: Dict[str, DataLoader], seed: int) -> None:
        for name, loader in loaders.items():
            if loader.batch_size is None or isinstance(loader.dataset,
                                                       IterableDataset):
                raise ValueError(
                    f'the loader of {name}s needs batch_size and a data set '
                    'with numbered samples; for tar shards take '
                    'CaptionDataset and ShardSampler')
            if not len(loader):
                raise ValueError(
                    f'the loader of {name}s has no batch: '
                    f'{len(loader.dataset)} samples are fewer than one batch '
                    'on each process; take a smaller batch_size')
        self.dataset = ConcatDataset([x.dataset for x in loaders.values()])
        self.dataset.metainfo = {}
        self.loaders = {
            name: resumable(loader, (seed, number))
            for number, (name, loader) in enumerate(loaders.items())
        }
        self.seed, self.epoch, self.start = seed, 0, 0
        # The host's hook sets the epoch of a loader's sampler.
        self.sampler = self

    def set_epoch(self, epoch: int) -> None:
        """Tell what to shuffle by.

        Args:
            epoch (int): Number of the epoch.
        """
        self.epoch = epoch
        for loader in self.loaders.values():
            loader.batch_sampler.set_epoch(epoch)

    def start_at(self, batch: int) -> None:
        """Leave out batches when the next epoch is gone through.

        Samples of the batches that are left out are not read.

        Args:
            batch (int): Number of the first that is yielded.
        """
        self.start = batch

    def layout(self) -> Dict[str, int]:
        """Return what must stay alike for an epoch to go on."""
        layout = dict(processes=get_world_size())
        for name, loader in self.loaders.items():
            batches = loader.batch_sampler
            layout[f'{name}s'] = len(loader.dataset)
            layout[f'{name} batches'] = len(batches)
            layout[f'{name} streams'] = getattr(batches.sampler, 'streams', 1)
        return layout

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
            loader.batch_sampler.start_at(done[name])
        batches = {name: iter(x) for name, x in self.loaders.items()}
        for name in order[start:]:
            yield next(batches[name])


@LOOPS.register_module()
class ModalityTrainLoop(EpochBasedTrainLoop):
    """Train by epochs on videos and images, one modality per iteration.

    In each iteration all processes take a batch of the same modality. The
    batches of both are shuffled together, and an epoch takes each once.

    A checkpoint of an iteration (``CheckpointHook`` with ``by_epoch=False``)
    says how far the epoch is, and a resumed training goes on from there
    without reading what is done; ``ResumableSeedHook`` makes it repeat an
    uninterrupted one. A checkpoint of an epoch goes on with the next one.

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

    Raises:
        ValueError: If the training resumes within an epoch, but there are
            other numbers of samples, batches or processes, or shards are
            read by another number of workers.

    Source: VideoMamba, arXiv:2403.06977, Section 4.4.
    """

    resumes_within_epoch = True

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
        # The host adds the rank to different seeds.
        seed = runner.seed - (get_rank() if different else 0)
        super().__init__(runner, ModalityLoader(loaders, seed), max_epochs,
                         val_begin, val_interval, dynamic_intervals)
        # A hub can be that of an earlier run in this process.
        self._note(0)

    def run_epoch(self) -> None:
        """Go through an epoch, or through what a checkpoint left of it."""
        self.runner.call_hook('before_train_epoch')
        self.runner.model.train()
        done = self._done()
        self.dataloader.start_at(done)
        for idx, data_batch in enumerate(self.dataloader, done):
            self.run_iter(idx, data_batch)
        self._note(0)
        self.runner.call_hook('after_train_epoch')
        self._epoch += 1

    def run_iter(self, idx: int, data_batch: Any) -> None:
        """Train on a batch.

        Args:
            idx (int): Its number in the epoch.
            data_batch (Any): Of one modality.
        """
        # Before the hook that saves a checkpoint after this iteration.
        self._note(idx + 1)
        super().run_iter(idx, data_batch)

    def _note(self, done: int) -> None:
        """Write down for the checkpoints how far the epoch is."""
        self.runner.message_hub.update_info(
            PROGRESS, dict(done=done, **self.dataloader.layout()))

    def _done(self) -> int:
        """Return the batches of the epoch that are done."""
        before = dict(self.runner.message_hub.get_info(PROGRESS))
        done, now = before.pop('done'), self.dataloader.layout()
        if done and before != now:
            raise ValueError(
                f'the checkpoint is from within an epoch of {before}, but it '
                f'now has {now}; resume with the same data, batch sizes and '
                'numbers of processes and workers, or from the end of an '
                'epoch')
        return done
