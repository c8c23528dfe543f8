"""Hook that keeps a second training out of a working folder."""
import atexit
import time
from typing import Any, Optional

from mmengine.dist import broadcast_object_list, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import BaseLoop, Runner

from mmvideomamba.engine.vote import Vote
from mmvideomamba.engine.work_dir_lock import WorkDirLock
from mmvideomamba.registry import HOOKS
from mmvideomamba.user_error import UserError

# Seconds between two signs of life.
_BEAT = 60.


@HOOKS.register_module()
class WorkDirLockHook(Hook):
    """Hold the working folder during a training.

    A second training in the folder ends with an error naming host and process
    of the first. The lock of a dead process is taken over, see
    ``WorkDirLock``. A training whose lock was taken by force saves no more
    checkpoints and ends.

    Args:
        force (bool): Take the lock from any holder, as ``--force`` of
            tools/train.py. Defaults to False.
    """
    # Before any hook looks into the folder.
    priority = 'VERY_HIGH'

    def __init__(self, force: bool = False) -> None:
        self.force = force
        self._lock: Optional[WorkDirLock] = None
        self._last_beat = 0.

    def before_run(self, runner: Runner) -> None:
        """Take the lock, for all processes of the training.

        Args:
            runner (Runner): The runner of the training.

        Raises:
            UserError: If another training holds the folder, or the folder
                cannot be written to.
        """
        if not isinstance(runner._train_loop, BaseLoop):
            return  # a validation or a test
        outcome = ['']
        if is_main_process():
            lock = WorkDirLock(runner.work_dir)
            try:
                before = lock.take(self.force)
                if before:
                    runner.logger.warning(
                        f'The lock on {runner.work_dir} is taken over from '
                        f'{before}{"" if self.force else ", which has ended"}.'
                    )
                self._lock = lock
                self._last_beat = time.monotonic()
                # The runner skips after_run after an error.
                atexit.register(lock.release)
            except UserError as error:
                outcome[0] = str(error)
        broadcast_object_list(outcome)
        if outcome[0]:
            raise UserError(outcome[0] if is_main_process() else '')

    def after_run(self, runner: Runner) -> None:
        """Free the lock.

        Args:
            runner (Runner): The runner of the training.
        """
        if self._lock is not None:
            self._lock.release()
            atexit.unregister(self._lock.release)
            self._lock = None

    def after_iter(self, *args: Any, **kwargs: Any) -> None:
        """Give a sign of life once a minute, in training and validation."""
        if self._lock is None:
            return
        now = time.monotonic()
        if now - self._last_beat > _BEAT:
            self._last_beat = now
            self._lock.beat()

    after_train_iter = after_val_iter = after_iter

    def before_checkpoint(self, runner: Runner) -> None:
        """End the training if another took the folder by force.

        Args:
            runner (Runner): The runner of the training.

        Raises:
            UserError: On all processes, if the lock was taken.
        """
        by = '' if self._lock is None else self._lock.taken()
        if Vote(1).settle([bool(by)])[0]:
            raise UserError(
                by and f'{runner.work_dir} was taken over by {by}: this '
                'training ends without saving')
