"""Hook against divergence: the training ends with good weights."""
import logging
from typing import Any, List, Optional

from mmengine import dist
from mmengine.hooks import CheckpointHook, Hook
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.runner import Runner

from mmvideomamba.engine.guard.divergence import (concerned, find_origin,
                                                  gather_reports, message,
                                                  weights_report, write_file)
from mmvideomamba.engine.guard.first_fault import losses_of
from mmvideomamba.engine.guard.generators import generator_states
from mmvideomamba.engine.guard.kept_buffers import KeptBuffers
from mmvideomamba.engine.guard.plain_data import snapshot
from mmvideomamba.engine.guard.replay import Precision, Step
from mmvideomamba.engine.guard.step_guard import StepGuard, not_finite
from mmvideomamba.engine.guard.verdicts import Verdict, Verdicts, to_host
from mmvideomamba.engine.inner_model import inner_model
from mmvideomamba.engine.vote import Vote
from mmvideomamba.exit_codes import DIVERGED
from mmvideomamba.process_group import leave_process_group
from mmvideomamba.registry import HOOKS

SKIPPED = 'guard_skipped'  # key in the message hub


@HOOKS.register_module()
class FiniteGuardHook(Hook):
    """End a training at a loss or gradient that is infinite or no number.

    The update of the step is left out on the device, see ``StepGuard``:
    weights and state of the optimizer stay as before the step. The host reads
    the verdict without waiting for the device, except before a checkpoint and
    before a validation. All processes end in the
    same iteration with the exit code ``DIVERGED``; nothing is saved or
    removed after the step.

    The error names iteration, losses, samples and the first module with a
    bad output or gradient, found by a repetition of the step without
    compiled forms and with all modules watched. Each process concerned
    writes ``replay_iter_N_rankR.pth`` into the work dir, for
    ``tools/replay_step.py``.

    Steps skipped by a ``GradScaler`` are a fault from ``max_scaler_skips`` in
    a row on, or with a scale next to zero.

    Args:
        max_skipped (int): Bad steps of the whole training to leave out and
            log before the next is a fault. Without effect under a
            ``GradScaler``. Defaults to 0.
        max_scaler_skips (int): Steps in a row skipped by a ``GradScaler``
            before the training ends. Defaults to 20.
        replay (bool): Whether to write replay files. Defaults to True.

    Raises:
        ValueError: If a number is too small.
    """

    # After the seeds of an iteration are set, and before averages of weights
    # are taken.
    priority = 'HIGH'

    def __init__(self,
                 max_skipped: int = 0,
                 max_scaler_skips: int = 20,
                 replay: bool = True) -> None:
        if max_skipped < 0 or max_scaler_skips < 1:
            raise ValueError(
                'max_skipped must be at least 0 and max_scaler_skips at '
                f'least 1, but they are {max_skipped} and {max_scaler_skips}')
        self.max_skipped, self.max_scaler_skips = max_skipped, max_scaler_skips
        self.replay = replay
        self.guard: Optional[StepGuard] = None

    def before_train(self, runner: Runner) -> None:
        """Take over the optimizer wrappers.

        Args:
            runner (Runner): The runner, with a loaded checkpoint.
        """
        self._leave()
        wrappers = _wrappers(runner.optim_wrapper)
        if not wrappers:
            runner.logger.warning(
                'FiniteGuardHook does not watch this training: '
                f'{type(runner.optim_wrapper).__name__} is not an '
                'OptimWrapper')
            return
        self.model = inner_model(runner.model)
        skipped = int(runner.message_hub.get_info(SKIPPED, 0) or 0)
        self.guard = StepGuard(wrappers,
                               next(self.model.parameters()).device,
                               self.max_skipped, self.max_scaler_skips,
                               skipped)
        self.guard.attach()
        tolerant = self.guard.limit > 0
        # Without tolerated steps the first bad step is the last, and a copy of
        # the buffers in each iteration would be in vain.
        self.buffers = KeptBuffers(self.model if tolerant else None)
        self.verdicts, self.vote = Verdicts(), Vote(2)
        self.faulty: Optional[Verdict] = None  # of this process
        self.skipped = skipped

    def before_train_iter(self,
                          runner: Runner,
                          batch_idx: int,
                          data_batch: Any = None) -> None:
        """Keep the batch and the random states for a repetition.

        Args:
            runner (Runner): The runner.
            batch_idx (int): Unused.
            data_batch (Any): Of the loader. Defaults to None.
        """
        if self.guard is None:
            return
        self.guard.begin()
        self.buffers.keep()
        # A model may change data samples.
        self.step = Step(runner.iter + 1, snapshot(data_batch),
                         generator_states(), self.guard.scale())

    def after_train_iter(self,
                         runner: Runner,
                         batch_idx: int,
                         data_batch: Any = None,
                         outputs: Optional[dict] = None) -> None:
        """Send for the verdict, and end the training by an earlier one.

        Args:
            runner (Runner): The runner.
            batch_idx (int): Unused.
            data_batch (Any): Unused. Defaults to None.
            outputs (dict, optional): Values to log. Defaults to None.

        Raises:
            SystemExit: With ``DIVERGED``, on all processes.
        """
        guard = self.guard
        if guard is None:
            return
        self.buffers.restore(guard.bad_loss | guard.bad_gradient)
        self.verdicts.add(
            Verdict(self.step, outputs or {}, guard.updates - guard.stepped,
                    guard.stepped, *to_host(guard.record())))
        self._read(runner)
        if dist.get_world_size() == 1:
            if self.faulty is not None:
                self._end(runner)
        else:
            # The vote travels during the next iteration: nobody waits, and all
            # processes end after the same iteration.
            ends = self.vote.result()
            self.vote.cast([self.faulty is not None, False])
            if ends[0]:
                self._end(runner)
        if _host_saves(runner):
            self.settle(runner)

    def before_checkpoint(self, runner: Runner) -> None:
        """Wait for all verdicts, before a state is saved.

        Args:
            runner (Runner): The runner; all processes call the method.

        Raises:
            SystemExit: With ``DIVERGED``, on all processes.
        """
        self.settle(runner)

    def after_train_epoch(self, runner: Runner) -> None:
        """Wait for all verdicts, see ``before_checkpoint``."""
        self.settle(runner)

    def before_val_epoch(self, runner: Runner) -> None:
        """Wait for all verdicts, see ``before_checkpoint``."""
        self.settle(runner)

    def after_train(self, runner: Runner) -> None:
        """Wait for all verdicts, and give the optimizer wrappers back."""
        self.settle(runner)
        self._leave()

    def settle(self, runner: Runner) -> None:
        """Wait for the verdicts on all iterations, and for all processes.

        The weights are looked at as well: an update by finite gradients can
        overflow.

        Args:
            runner (Runner): The runner; all processes call the method.

        Raises:
            SystemExit: With ``DIVERGED``, on all processes.
        """
        if self.guard is None:
            return
        self._read(runner, wait=True)
        weights = not_finite(list(self.model.parameters()), self.guard.device)
        ends = self.vote.settle([self.faulty is not None, bool(weights)])
        if any(ends):
            self._end(runner, weights=not ends[0])

    def _leave(self) -> None:
        """Give the optimizer wrappers back."""
        if self.guard is not None:
            self.guard.detach()
        self.guard = None

    def _read(self, runner: Runner, wait: bool = False) -> None:
        """Read the verdicts that have arrived."""
        for verdict in self.verdicts.arrived(wait):
            if self.faulty is not None:
                return
            if verdict.fault:
                self.faulty = verdict
            elif verdict.stepped:
                self._note_skip(runner, verdict)
                self.verdicts.forget(verdict)

    def _note_skip(self, runner: Runner, verdict: Verdict) -> None:
        """Log a skipped update, and count for checkpoints."""
        assert self.guard is not None
        scaled = self.guard.scaled
        before, self.skipped = self.skipped, verdict.count
        if self.skipped <= before and not (scaled and self.skipped):
            return
        if not scaled:
            runner.message_hub.update_info(SKIPPED, self.skipped)
        limit = f'{self.max_scaler_skips} in a row' if scaled else str(
            self.max_skipped)
        runner.logger.log(
            logging.INFO if scaled else logging.WARNING,
            f'The update of iteration {verdict.step.iteration} was left out: '
            f'loss or gradients are not finite (number {self.skipped}; '
            f'the training ends {"at" if scaled else "after"} {limit})')

    def _end(self, runner: Runner, weights: bool = False) -> None:
        """Explain the fault and end the training; all processes call it.

        Args:
            runner (Runner): The runner.
            weights (bool): Whether the weights are the fault. Defaults to
                False.

        Raises:
            SystemExit: With ``DIVERGED``.
        """
        assert self.guard is not None
        self.guard.detach()
        # Captured steps keep the memory that the repetition needs.
        getattr(runner.model.train_step, 'release', lambda: None)()
        steps: List[Step] = []
        if self.faulty is not None:
            for one in self.verdicts.update_of(self.faulty):
                one.step.losses = losses_of(one.outputs)
                steps.append(one.step)
        precision = Precision.of(self.guard.wrappers[0])
        if weights:
            own = weights_report(self.model, self.step.iteration)
        else:
            own = find_origin(self.model, steps, precision)
        mine = concerned(own)
        if mine and self.replay:
            own.file = write_file(runner, self.model, own, steps, precision)
        reports = gather_reports(own if mine else None)
        if dist.is_main_process():
            runner.logger.error(message(runner, reports, not weights))
        self.guard = None
        # Else scalars of the last iterations would not reach the files.
        runner.visualizer.close()
        self.vote.result()  # nothing is left under way
        leave_process_group()
        raise SystemExit(DIVERGED)


def _wrappers(wrapper: Any) -> List[OptimWrapper]:
    """Return the optimizer wrappers of a training."""
    if isinstance(wrapper, OptimWrapperDict):
        return list(wrapper.values())
    return [wrapper] if isinstance(wrapper, OptimWrapper) else []


def _host_saves(runner: Runner) -> bool:
    """Tell whether a hook of the host saves after this iteration.

    Ours calls ``before_checkpoint`` first, and the end of an epoch settles.
    """
    return any(
        isinstance(x, CheckpointHook) and not hasattr(x, 'save_now')
        and not x.by_epoch and x.every_n_train_iters(runner, x.interval)
        for x in runner.hooks)
