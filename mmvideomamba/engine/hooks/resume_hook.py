"""Hook for resumed trainings equal to uninterrupted ones."""
from typing import Any, Dict, List, Optional

import torch
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.runner import BaseLoop, Runner

from mmvideomamba.engine import early_stops
from mmvideomamba.engine.loops.resumable_loader import (ResumableLoader,
                                                        can_resume)
from mmvideomamba.engine.loops.resumable_loops import make_resumable
from mmvideomamba.engine.pending_gradients import (KEY, gather_gradients,
                                                   restore_gradients)
from mmvideomamba.engine.seeding import seed_process, shared_seed
from mmvideomamba.registry import HOOKS


@HOOKS.register_module()
class ResumeHook(Hook):
    """Let a training resume from any iteration, exactly.

    A resumed training ends with the weights of an uninterrupted one, bit by
    bit on a device with deterministic kernels:

    - the host's loop by epochs or iterations goes on within an epoch, see
      ``ResumableEpochLoop`` and ``ResumableIterLoop``;
    - samples are drawn from the seed of the training and their place in the
      training, with any number of workers; see ``ResumableLoader``;
    - drop paths, masks, mixing and all other draws of a step depend on seed,
      iteration and rank;
    - gradients of accumulated batches are kept between two steps of the
      optimizer;
    - ``EarlyStoppingHook`` counts on.

    The death of a data loader's worker costs a sample, see ``WorkerDeaths``,
    in validation and test as well.
    """

    priority = 'VERY_HIGH'

    def __init__(self) -> None:
        self.to_save: Optional[List[Dict[str, torch.Tensor]]] = None
        self.loaded: Optional[List[Dict[str, torch.Tensor]]] = None

    def before_run(self, runner: Runner) -> None:
        """Exchange the loop of a training, and the other loops' loaders.

        Args:
            runner (Runner): The runner, before a checkpoint is loaded.
        """
        # The public attributes would build loops that the run leaves out.
        if isinstance(runner._train_loop, BaseLoop):
            runner._train_loop = make_resumable(runner._train_loop)
            early_stops.count_before_saving(runner)
        for loop in (runner._val_loop, runner._test_loop):
            if isinstance(loop, BaseLoop) and not isinstance(
                    loop.dataloader, ResumableLoader) and can_resume(
                        loop.dataloader):
                loop.dataloader = ResumableLoader(
                    loop.dataloader, shared_seed(runner), draws=False)

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Take gradients, and the counts of early stopping.

        Args:
            runner (Runner): The runner.
            checkpoint (dict): The checkpoint.
        """
        found = checkpoint.pop(KEY, None)
        self.loaded = found if runner._resume else None
        if runner._resume and early_stops.KEY in checkpoint:
            early_stops.restore_early_stops(runner,
                                            checkpoint[early_stops.KEY])

    def before_train(self, runner: Runner) -> None:
        """Give the parameters the gradients of the checkpoint.

        Args:
            runner (Runner): The runner.
        """
        if self.loaded is not None:
            restore_gradients(runner.model, self.loaded)
            runner.logger.info('the gradients of batches without a step of '
                               'the optimizer are those of the checkpoint')
        self.loaded = None

    def before_train_iter(self,
                          runner: Runner,
                          batch_idx: int,
                          data_batch: Any = None) -> None:
        """Seed this process by the iteration.

        Args:
            runner (Runner): The runner.
            batch_idx (int): Number of the batch in the epoch.
            data_batch (Any): Unused. Defaults to None.
        """
        seed_process(runner.seed, runner.iter, get_rank())

    def before_checkpoint(self, runner: Runner) -> None:
        """Collect the gradients of all processes.

        Args:
            runner (Runner): The runner.
        """
        # The runner calls before_save_checkpoint on the main process alone,
        # too late for a collective.
        self.to_save = gather_gradients(runner.model)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Write into a checkpoint with the optimizer what it lacks.

        Args:
            runner (Runner): The runner.
            checkpoint (dict): With or without the optimizer's state.
        """
        if 'optimizer' not in checkpoint:
            return
        if self.to_save is not None:
            checkpoint[KEY] = self.to_save
        counts = early_stops.gather_early_stops(runner)
        if counts:
            checkpoint[early_stops.KEY] = counts
