"""Signals and the end of the workers of a data loader."""
import ctypes
import os
import signal
import sys
import threading
from typing import Any, Callable, Optional

# PR_SET_PDEATHSIG of linux/prctl.h: signal at the end of the parent.
_PARENT_DEATH_SIGNAL = 1
# A terminal or a scheduler sends them to workers as well as to the trainer.
IGNORED = ('SIGINT', 'SIGHUP', 'SIGUSR1')


def end_with_parent() -> None:
    """Let the kernel kill this process when the parent ends, on Linux."""
    if not sys.platform.startswith('linux'):
        return
    parent = os.getppid()
    ctypes.CDLL(None).prctl(_PARENT_DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() != parent:  # ended in between
        os._exit(1)


def obey_parent_alone() -> None:
    """Ignore signals that end a training, unless the parent sends SIGTERM.

    The trainer decides when to save and end, and needs batches until then.
    A data loader ends a hanging worker by SIGTERM.
    """
    for name in IGNORED:
        signal.signal(getattr(signal, name), signal.SIG_IGN)
    # A fork inherits the handler of the trainer.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if not hasattr(signal, 'sigwaitinfo'):
        return
    # A handler of Python does not learn the sender. sigwaitinfo does, and
    # needs the signal blocked.
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    parent = os.getppid()

    def wait() -> None:
        while signal.sigwaitinfo([signal.SIGTERM]).si_pid != parent:
            pass
        # sys.exit would end the thread alone.
        os._exit(128 + signal.SIGTERM)

    threading.Thread(target=wait, daemon=True).start()


class WorkerStart:
    """Function that a data loader calls in each new worker.

    Args:
        start (Callable, optional): Called afterwards with the number of the
            worker. Defaults to None.
    """

    def __init__(self, start: Optional[Callable[[int], Any]] = None) -> None:
        self.start = start

    def __call__(self, worker: int) -> None:
        end_with_parent()
        obey_parent_alone()
        if self.start is not None:
            self.start(worker)


def keep_workers(loader: Any) -> None:
    """Let the workers of a loader live exactly as long as the trainer.

    A worker outlives signals to the whole process group, and ends with the
    trainer, however the trainer ends.

    Args:
        loader (DataLoader): Not yet iterated over, or without persistent
            workers.
    """
    # Several hooks ask for the same loader.
    if not isinstance(loader.worker_init_fn, WorkerStart):
        loader.worker_init_fn = WorkerStart(loader.worker_init_fn)
