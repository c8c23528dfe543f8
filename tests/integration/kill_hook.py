"""Hook to end a training as a power cut would."""
import os
import signal

from mmengine.hooks import Hook
from mmengine.registry import HOOKS


@HOOKS.register_module()
class KillHook(Hook):
    """Send a signal to this process, by default the end without a warning.

    Args:
        iteration (int): Finished iterations at the signal.
        signal (str): Name. Defaults to 'SIGKILL'.
        rank (int): The process among several. Defaults to 0.
    """

    def __init__(self,
                 iteration: int,
                 signal: str = 'SIGKILL',
                 rank: int = 0) -> None:
        self.iteration, self.signal, self.rank = iteration, signal, rank

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        if (runner.iter, runner.rank) == (self.iteration, self.rank):
            os.kill(os.getpid(), getattr(signal, self.signal))
