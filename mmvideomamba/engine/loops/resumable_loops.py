"""Training loops with a start at any iteration of an earlier run."""
import logging
from typing import Any, Dict, Iterator, Type

from mmengine.logging import print_log
from mmengine.runner import BaseLoop, EpochBasedTrainLoop, IterBasedTrainLoop

from mmvideomamba.engine.progress import PROGRESS, note_progress, read_progress
from mmvideomamba.engine.seeding import shared_seed
from .resumable_loader import ResumableLoader, can_resume


class _Resumable(BaseLoop):
    """Base of the loops by epochs and by iterations.

    A checkpoint holds the place within the epoch, see ``progress``, and the
    seeds of order and samples, also where the host drew the seed.
    """

    runner: Any
    dataloader: Any

    def _make_resumable(self) -> None:
        """Exchange the loader, before the first batch."""
        self.dataloader = ResumableLoader(self.dataloader,
                                          shared_seed(self.runner))
        self._start_record()

    def _start_record(self) -> None:
        """Begin without a record; the hub can be that of an earlier run."""
        self.runner.message_hub.update_info(PROGRESS, {})

    def _restore(self) -> Dict[str, Any]:
        """Take over the record of a checkpoint, if there is one."""
        hub = self.runner.message_hub
        found = read_progress(hub)
        self.dataloader.reseed(shared_seed(self.runner))
        if self._iter:
            self.dataloader.order_seeds = found.get('order_seeds') or []
        note_progress(
            hub,
            batches=found.get('batches', 0),
            validated=found.get('validated', False),
            layout=self.dataloader.layout(),
            order_seeds=self.dataloader.order_seeds)
        return found

    def _note(self, batches: int) -> None:
        """Write the place in the training down for the checkpoints."""
        note_progress(
            self.runner.message_hub, batches=batches, validated=False)


class ResumableEpochLoop(_Resumable, EpochBasedTrainLoop):
    """Train by epochs; a checkpoint from within an epoch goes on there.

    Batches before the checkpoint are not read again. A validation due at the
    checkpoint comes first. Samples are drawn as ``ResumableLoader`` says.

    Raises:
        ValueError: If the training resumes within an epoch, but has other
            numbers of samples, batches or samples per batch.
    """

    def run(self) -> Any:
        """Train from the beginning, or from the place of a checkpoint.

        Returns:
            nn.Module: The model.
        """
        self.runner.call_hook('before_train')
        found = self._restore()
        self._first_batch = self._done(found)
        # The earlier run ended between a save and the validation due.
        # Checkpoints of other loops have no record, and count as validated.
        if self._iter and not self._first_batch and not found.get(
                'validated', True):
            self._validate()
        while self._epoch < self._max_epochs and not self.stop_training:
            self.run_epoch()
            self._validate()
        self.runner.call_hook('after_train')
        return self.runner.model

    def _validate(self) -> None:
        """Validate, if it is time."""
        self._decide_current_val_interval()
        last = self._epoch == self._max_epochs
        if self.runner.val_loop is not None and (
                self._epoch
                >= self.val_begin) and (self._epoch % self.val_interval == 0
                                        or last):
            self.runner.val_loop.run()

    def run_epoch(self) -> None:
        """Go through an epoch, or through the rest after a checkpoint."""
        self.runner.call_hook('before_train_epoch')
        self.runner.model.train()
        done, self._first_batch = self._first_batch, 0
        self.dataloader.set_epoch(self._epoch)
        self.dataloader.start_at(done)
        # A checkpoint of the last iteration of an epoch leaves nothing to
        # read, and workers would start in vain.
        if done < len(self.dataloader):
            for idx, data_batch in enumerate(self.dataloader, done):
                self.run_iter(idx, data_batch)
        # Before the hooks that save at the end of an epoch: a resumed training
        # begins with the next epoch.
        note_progress(self.runner.message_hub, batches=0)
        self.runner.call_hook('after_train_epoch')
        self._epoch += 1

    def run_iter(self, idx: int, data_batch: Any) -> None:
        """Train on a batch.

        Args:
            idx (int): Number of the batch in the epoch.
            data_batch (Any): The batch.
        """
        # Before the hook that saves a checkpoint after this iteration.
        self._note(idx + 1)
        super().run_iter(idx, data_batch)

    def _done(self, found: Dict[str, Any]) -> int:
        """Return the number of batches before the checkpoint."""
        size, now = len(self.dataloader), self.dataloader.layout()
        # Checkpoints of other loops have no record.
        done = found.get('batches', self._iter - self._epoch * size)
        before = found.get('layout', now)
        if not self._iter or before == now:
            return done if self._iter else 0
        if done:
            raise ValueError(
                f'the checkpoint is from within an epoch of {before}, but '
                f'the training now has {now}; resume with the same data and '
                'the same number of samples per batch over all processes, or '
                'from the end of an epoch')
        print_log(
            f'the checkpoint is from a training with epochs of {before}, but '
            f'the training now has {now}: iterations, and all that is '
            'scheduled by iterations, shift', 'current', logging.WARNING)
        return 0


class ResumableIterLoop(_Resumable, IterBasedTrainLoop):
    """Train by iterations; see ``ResumableEpochLoop``."""

    def _make_resumable(self) -> None:
        """Exchange the loader; the host's has begun to read."""
        self.dataloader_iterator = None  # ends the workers
        super()._make_resumable()

    def run(self) -> Any:
        """Train from the beginning, or from the place of a checkpoint.

        Returns:
            nn.Module: The model.
        """
        self.runner.call_hook('before_train')
        self.runner.call_hook('before_train_epoch')
        found = self._restore()
        before, now = found.get('layout'), self.dataloader.layout()
        if self._iter and before not in (None, now):
            print_log(
                f'the checkpoint is from a training on {before}, but the '
                f'training now has {now}: the samples that come next are '
                'not those of an uninterrupted training', 'current',
                logging.WARNING)
        if self._iter and not found.get('validated', True):
            self._validate()
        batches = self._batches()
        while self._iter < self._max_iters and not self.stop_training:
            self.runner.model.train()
            self.run_iter(next(batches))
            self._validate()
        self.runner.call_hook('after_train_epoch')
        self.runner.call_hook('after_train')
        return self.runner.model

    def _batches(self) -> Iterator[Any]:
        """Yield batches from the current iteration on, for ever."""
        epoch, start = 0, self._iter
        if not self.dataloader.endless:
            epoch, start = divmod(self._iter, len(self.dataloader))
        while True:
            self.dataloader.set_epoch(epoch)
            self.dataloader.start_at(start)
            yield from self.dataloader
            epoch, start = epoch + 1, 0

    def _validate(self) -> None:
        """Validate, if it is time."""
        self._decide_current_val_interval()
        last = self._iter == self._max_iters
        if self.runner.val_loop is not None and (
                self._iter
                >= self.val_begin) and (self._iter % self.val_interval == 0
                                        or last):
            self.runner.val_loop.run()

    def run_iter(self, data_batch: Any) -> None:
        """Train on a batch.

        Args:
            data_batch (Any): The batch.
        """
        self._note(self._iter + 1)
        super().run_iter(data_batch)


LOOPS: Dict[type, Type[_Resumable]] = {
    EpochBasedTrainLoop: ResumableEpochLoop,
    IterBasedTrainLoop: ResumableIterLoop,
}


def make_resumable(loop: BaseLoop) -> BaseLoop:
    """Let a training loop of the host go on from any iteration.

    Args:
        loop (BaseLoop): A training loop, before the first batch.

    Returns:
        BaseLoop: ``ResumableEpochLoop`` or ``ResumableIterLoop`` with the
        same settings; the loop itself, after a warning, if the loop is of
        another class or reads a stream.
    """
    if isinstance(loop, _Resumable):
        return loop
    # By the exact type, as a subclass may have a run of another kind.
    kind = LOOPS.get(type(loop))
    if kind is None or not can_resume(loop.dataloader):
        reason = (f'{type(loop).__name__} is not known'
                  if kind is None else 'the samples have no numbers')
        print_log(
            'a resumed training will not repeat an uninterrupted one, because '
            f'{reason}', 'current', logging.WARNING)
        return loop
    # The constructor of the host's loop by iterations would start workers.
    new = kind.__new__(kind)
    new.__dict__.update(vars(loop))
    new._make_resumable()
    return new
