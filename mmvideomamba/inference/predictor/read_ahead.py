"""Reading of files by threads, while the model computes."""
import os
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import (Any, Callable, Deque, Iterator, NamedTuple, Optional,
                    Sequence)

from mmvideomamba.datasets.video import MediaError

MOST_WORKERS = 8


class Outcome(NamedTuple):
    """An input after reading.

    Args:
        item (Any): The input.
        value (Any): What was read; None for a bad input.
        error (MediaError, optional): Of a bad input. Defaults to None.
    """
    item: Any
    value: Any
    error: Optional[MediaError] = None


def usual_workers() -> int:
    """Return the number of threads for decoding.

    Returns:
        int: A thread for each core of the process, at most ``MOST_WORKERS``.
    """
    # os.cpu_count counts the cores of the machine, of other jobs too.
    if hasattr(os, 'sched_getaffinity'):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    return min(cores, MOST_WORKERS)


def _read(item: Any, read: Callable[[Any], Any]) -> Outcome:
    """Read an input; a bad one is an outcome too."""
    try:
        return Outcome(item, read(item))
    except MediaError as error:
        return Outcome(item, None, error)


def read_ahead(items: Sequence[Any], read: Callable[[Any], Any], workers: int,
               ahead: int) -> Iterator[Outcome]:
    """Read inputs by threads, in order.

    Decoders let other threads run. The inputs that are read, and not yet
    taken, are at most ``ahead``, which bounds the memory.

    Args:
        items (Sequence): The inputs.
        read (Callable): From an input to a value.
        workers (int): Threads; 0 reads in the thread of the caller.
        ahead (int): Inputs read before they are taken, at least 1.

    Yields:
        Outcome: Of each input, in turn.
    """
    if workers < 1:
        for item in items:
            yield _read(item, read)
        return
    waiting: Deque['Future[Outcome]'] = deque()
    pool = ThreadPoolExecutor(workers, 'read')
    try:
        for item in items:
            waiting.append(pool.submit(_read, item, read))
            if len(waiting) >= ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        # A caller that stops early does not wait for decoders.
        pool.shutdown(wait=False, cancel_futures=True)
