"""Priority and threads of the workers of a data loader."""
import os
from typing import Any, Callable, Optional

import cv2


class GiveWay:
    """Function for a new worker, to let the trainer go first.

    With a worker for each core the scheduler gives the thread for launches a
    fair share, after turns of milliseconds, but launches need a core at once,
    for microseconds. A worker of lower priority makes room. Later threads of
    the worker inherit the priority.

    torch itself sets a worker's threads to one. OpenCV gets as many as in the
    trainer, see ``env_cfg.mp_cfg.opencv_num_threads``; workers other than
    forks would start with a thread for each core.

    Args:
        nice (int): Added to the niceness of the worker, 0 to 19.
        start (Callable, optional): Called afterwards with the number of the
            worker. Defaults to None.
    """

    def __init__(self,
                 nice: int,
                 start: Optional[Callable[[int], Any]] = None) -> None:
        self.start = start
        # Of the worker, for a function of an earlier run may be inside.
        self.target = _niceness() + nice
        self.opencv_threads = cv2.getNumThreads()

    def __call__(self, worker: int) -> None:
        more = self.target - _niceness()
        if more > 0 and hasattr(os, 'nice'):
            os.nice(more)
        if cv2.getNumThreads() != self.opencv_threads:
            cv2.setNumThreads(self.opencv_threads)
        if self.start is not None:
            self.start(worker)


def _niceness() -> int:
    """Return the niceness of this process; Windows has none."""
    return os.nice(0) if hasattr(os, 'nice') else 0


def give_way(loader: Any, nice: int) -> None:
    """Let the workers of a loader give way to the trainer.

    Args:
        loader (DataLoader): Without running workers.
        nice (int): See ``GiveWay``.
    """
    start = loader.worker_init_fn
    if isinstance(start, GiveWay):
        start = start.start
    loader.worker_init_fn = GiveWay(nice, start)
