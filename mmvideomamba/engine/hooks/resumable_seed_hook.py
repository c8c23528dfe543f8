"""Hook that lets a resumed training repeat an uninterrupted one."""
import random
from functools import partial
from typing import Any, List

import numpy as np
import torch
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.runner import EpochBasedTrainLoop, Runner
from torch.utils.data import DataLoader

from mmvideomamba.registry import HOOKS


@HOOKS.register_module()
class ResumableSeedHook(Hook):
    """Seed all random generators from (seed, epoch, rank) in each epoch.

    A checkpoint does not hold the state of the generators, so after
    ``resume`` the host draws other drop paths, crops and mixes than it would
    have drawn without the interruption. With this hook the draws of an epoch
    do not depend on what ran before it: a run resumed from the checkpoint of
    an epoch ends with the same weights, bit by bit on a device with
    deterministic kernels. Workers of the data loader get a seed per epoch as
    well, where the host starts them alike in each epoch.

    A loop that resumes within an epoch, ``ModalityTrainLoop``, seeds the
    samples itself, for workers that live on as well; the generators of the
    process are then seeded in each iteration.

    It needs a fixed ``randomness.seed`` (the host shuffles by the seed drawn
    at the start of the process), training by epochs, and
    ``persistent_workers=False``, since a worker that lives on is not seeded
    again. It warns if one of them is missing.
    """

    def before_train(self, runner: Runner) -> None:
        """Warn about settings with which a resumed run would differ.

        Args:
            runner (Runner): The runner of the training.
        """
        for reason in self._obstacles(runner):
            runner.logger.warning(
                f'{self.__class__.__name__}: a resumed run will not repeat '
                f'an uninterrupted one, because {reason}')

    def before_train_epoch(self, runner: Runner) -> None:
        """Seed this process and the workers that the epoch will start.

        Args:
            runner (Runner): The runner of the training.
        """
        seed = self._seed(runner.seed, runner.epoch, get_rank())
        self._seed_workers(runner.train_dataloader, seed)

    def before_train_iter(self,
                          runner: Runner,
                          batch_idx: int,
                          data_batch: Any = None) -> None:
        """Seed this process again, if the loop resumes within an epoch.

        Args:
            runner (Runner): The runner of the training.
            batch_idx (int): Number of the batch in the epoch.
            data_batch (Any): Unused. Defaults to None.
        """
        if getattr(runner.train_loop, 'resumes_within_epoch', False):
            self._seed(runner.seed, runner.epoch, get_rank(), batch_idx)

    @staticmethod
    def _seed(*key: int) -> int:
        """Seed the generators of this process, and return the seed."""
        source = np.random.SeedSequence(key)
        # 31 bits: the host adds the number of the worker to it.
        seed = int(source.generate_state(1)[0]) >> 1
        random.seed(seed)
        np.random.seed(seed)
        torch.manual_seed(seed)
        return seed

    @staticmethod
    def _obstacles(runner: Runner) -> List[str]:
        """List what keeps a resumed run from repeating."""
        reasons = []
        if (runner.cfg.get('randomness') or {}).get('seed') is None:
            reasons.append('the config sets no randomness.seed')
        if not isinstance(runner.train_loop, EpochBasedTrainLoop):
            reasons.append('it is not trained by epochs')
        if runner.train_dataloader.persistent_workers:
            reasons.append('train_dataloader has persistent_workers=True')
        return reasons

    @staticmethod
    def _seed_workers(loader: DataLoader, seed: int) -> None:
        """Replace the seed of the host's function that starts a worker."""
        start = loader.worker_init_fn
        if isinstance(start, partial) and 'seed' in start.keywords:
            loader.worker_init_fn = partial(start, seed=seed)
