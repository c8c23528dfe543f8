"""Hook to save a training before a scheduler ends the process."""
import signal
from pathlib import Path
from typing import Any, Optional

import torch
from mmengine.dist import all_reduce, is_distributed, is_main_process
from mmengine.hooks import EMAHook, Hook
from mmengine.optim import OptimWrapperDict
from mmengine.runner import IterBasedTrainLoop, Runner
from torch.utils.data import DataLoader

from mmvideomamba.atomic_file import write_file
from mmvideomamba.checkpoints.newest import LAST
from mmvideomamba.exit_codes import INTERRUPTED, PREEMPTED
from mmvideomamba.process_group import leave_process_group
from mmvideomamba.registry import HOOKS
from mmvideomamba.signals import SignalWatch
from ..loops.worker_signals import keep_workers
from ..progress import note_progress
from ..vote import Vote


@HOOKS.register_module()
class PreemptionHook(Hook):
    """Save the training after SIGTERM, SIGUSR1, SIGHUP or Ctrl-C, and end.

    The signal is noted, and all processes agree on a step to write the
    checkpoint after: in the training after the next update of the weights, in
    a validation after the next batch. The process then ends with the exit
    code 75 (130 after Ctrl-C), and ``--resume`` goes on from the checkpoint.
    A save under way is finished first. A training complete before the next
    step ends as usual. A second signal ends the process at once, see
    ``SignalWatch``.

    The checkpoint hook writes the file (``save_now`` of
    ``SafeCheckpointHook``). With another checkpoint hook the runner writes
    ``iter_*.pth``, and nothing removes the file later.

    Signals during a test keep their usual effect. Workers of the loaders for
    validation and test outlive signals to the whole process group, and end
    with the process.
    """

    priority = 'LOWEST'

    def __init__(self) -> None:
        self._watch: Optional[SignalWatch] = None
        self._vote = Vote(2)
        self._saver: Any = None  # the checkpoint hook
        self._val_batches = 0  # that all processes still have
        self._in_val_epoch = False

    def before_train(self, runner: Runner) -> None:
        """Take the signals over.

        Args:
            runner (Runner): The runner of the training.
        """
        train = getattr(type(runner).train, '__code__', None)

        # An error leaves Runner.train without after_train, and the watch would
        # keep the signals of a process whose training is over.
        def training(frame: Any) -> bool:
            """Tell whether an error has ended the training."""
            while frame is not None and frame.f_code is not train:
                frame = frame.f_back
            return frame is not None

        if runner.val_loop is not None:
            _keep(runner.val_dataloader)
        self._vote = Vote(2)
        self._watch = SignalWatch(alive=training if train else None)
        if not self._watch.start():
            runner.logger.warning(
                'PreemptionHook: the training runs in a thread, where Python '
                'cannot catch signals; a signal ends it without a checkpoint')
        self._saver = next(
            (hook for hook in runner.hooks if hasattr(hook, 'save_now')), None)
        if self._saver is None:
            runner.logger.warning(
                'PreemptionHook: no checkpoint hook has save_now; after a '
                'signal the runner writes iter_*.pth into the working folder, '
                'and nothing removes the file later. Set default_hooks.'
                'checkpoint.type to mmvideomamba.SafeCheckpointHook')

    def after_train_iter(self,
                         runner: Runner,
                         batch_idx: int,
                         data_batch: Any = None,
                         outputs: Optional[dict] = None) -> None:
        """Stop after an update, if all processes know of a signal.

        Args:
            runner (Runner): The runner of the training.
            batch_idx (int): Not used.
            data_batch (Any): Not used.
            outputs (dict, optional): Not used.

        Raises:
            SystemExit: After the state is saved.
        """
        # In each iteration, with an update or not: a vote needs all processes.
        agreed = self._agreed()
        last = runner.iter + 1 >= runner.max_iters
        if _updated(runner) and not (last and runner.val_loop is None):
            self._stop(runner, agreed, runner.epoch, runner.iter + 1)

    def after_train_epoch(self, runner: Runner) -> None:
        """Stop between two epochs.

        Args:
            runner (Runner): The runner of the training.

        Raises:
            SystemExit: After the state is saved.
        """
        agreed = self._agreed(wait=True)
        # For an iteration loop the whole training is one epoch.
        done = isinstance(runner.train_loop, IterBasedTrainLoop) or (
            runner.epoch + 1 >= runner.max_epochs and runner.val_loop is None)
        if not done:
            self._stop(runner, agreed, runner.epoch + 1, runner.iter)

    def before_val(self, runner: Runner) -> None:
        """Stop before a validation, and agree on the votes within.

        Args:
            runner (Runner): The runner of the training.

        Raises:
            SystemExit: After the state is saved.
        """
        if self._watch is None:
            return
        agreed = self._agreed(wait=True)
        self._stop(runner, agreed, runner.epoch, runner.iter)
        try:
            batches = len(runner.val_dataloader)
        except TypeError:  # a stream
            batches = 0
        count = torch.tensor(batches)
        all_reduce(count, 'min')
        self._val_batches = int(count)

    def before_val_epoch(self, runner: Runner) -> None:
        """Remember that ``EMAHook`` has swapped the weights.

        Args:
            runner (Runner): Not used.
        """
        self._in_val_epoch = True

    def after_val_iter(self,
                       runner: Runner,
                       batch_idx: int,
                       data_batch: Any = None,
                       outputs: Any = None) -> None:
        """Stop within a validation; a resumed training repeats all of it.

        Args:
            runner (Runner): The runner of the training.
            batch_idx (int): Not used.
            data_batch (Any): Not used.
            outputs (Any): Not used.

        Raises:
            SystemExit: After the state is saved.
        """
        # The loaders of the processes may differ in length.
        if self._watch is None or self._val_batches < 1:
            return
        self._val_batches -= 1
        self._stop(runner, self._agreed(), runner.epoch, runner.iter)

    def after_val_epoch(self, runner: Runner, metrics: Any = None) -> None:
        """Stop after a validation, unless the training is complete.

        Args:
            runner (Runner): The runner of the training.
            metrics (dict, optional): Not used.

        Raises:
            SystemExit: After the state is saved.
        """
        self._in_val_epoch, self._val_batches = False, 0
        if self._watch is None:
            return
        agreed = self._agreed(wait=True)
        if runner.iter < runner.max_iters:
            # mmengine's checkpoint hook does not note the validation.
            note_progress(runner.message_hub, validated=True)
            self._stop(runner, agreed, runner.epoch, runner.iter)

    def after_train(self, runner: Runner) -> None:
        """Give the signals back.

        Args:
            runner (Runner): Not used.
        """
        self._vote.result()
        if self._watch is not None:
            self._watch.stop()
        self._watch = None

    def before_test(self, runner: Runner) -> None:
        """Let the workers end with the process.

        Args:
            runner (Runner): The runner of the test.
        """
        _keep(runner.test_dataloader)

    def _agreed(self, wait: bool = False) -> int:
        """Return the exit code that all processes agree on, or 0.

        Args:
            wait (bool): Wait for the flags of the other processes; else
                the flags of the last call count. Defaults to False.

        Returns:
            int: ``PREEMPTED``, ``INTERRUPTED`` or 0.
        """
        assert self._watch is not None
        own = [self._watch.preempted, self._watch.interrupted]
        if wait or not is_distributed():
            preempted, interrupted = self._vote.settle(own)
        else:
            preempted, interrupted = self._vote.result()
            self._vote.cast(own)
        if preempted:
            return PREEMPTED
        return INTERRUPTED if interrupted else 0

    def _stop(self, runner: Runner, code: int, epoch: int,
              iteration: int) -> None:
        """Save and end with an exit code, unless the code is 0."""
        if not code:
            return
        assert self._watch is not None
        # EMAHook has exchanged the weights for averages, and the checkpoint
        # must hold both as in a training.
        if self._in_val_epoch:
            _swap_ema_back(runner)
        number = self._watch.received
        cause = signal.Signals(number).name if number else (
            'a signal to another process')
        save = _save if self._saver is None else self._saver.save_now
        path = save(runner, epoch, iteration)
        # Else scalars of the last iterations would not reach the files.
        runner.visualizer.close()
        runner.logger.info(
            f'{cause}: the training is saved in {path} (epoch {epoch}, '
            f'iteration {iteration}), and the option --resume goes on from '
            f'there. Exit code {code}')
        self._vote.result()  # nothing is left under way
        leave_process_group()
        # The end of the first process makes launchers signal the others.
        self._watch.ignore()
        raise SystemExit(code)


def _keep(loader: Any) -> None:
    """Keep the workers of a loader, unless the loader is the user's own."""
    if isinstance(loader, DataLoader):
        keep_workers(loader)


def _updated(runner: Runner) -> bool:
    """Tell whether no gradients are accumulated, for a later update."""
    wrapper = runner.optim_wrapper
    each = wrapper.values() if isinstance(wrapper,
                                          OptimWrapperDict) else [wrapper]
    # DeepSpeed's wrapper keeps no count.
    return all(one.should_update() for one in each
               if hasattr(one, 'should_update'))


def _swap_ema_back(runner: Runner) -> None:
    """Undo what ``EMAHook`` does for a validation."""
    for hook in runner.hooks:
        # mmpretrain's has the option to validate the other weights.
        if isinstance(hook, EMAHook) and getattr(hook, 'evaluate_on_ema',
                                                 True):
            hook._swap_ema_parameters()


def _save(runner: Runner, epoch: int, iteration: int) -> str:
    """Save without ``SafeCheckpointHook``; return the path."""
    path = Path(runner.work_dir, f'iter_{iteration}.pth')
    runner.save_checkpoint(
        str(path.parent), path.name, meta=dict(epoch=epoch, iter=iteration))
    if is_main_process():
        write_file(path.with_name(LAST), str(path))
    return str(path)
