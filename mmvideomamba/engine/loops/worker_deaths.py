"""Dead workers of a data loader, and the samples at which workers died."""
import os
import re
import signal
import threading
from typing import (Any, Callable, Dict, Iterator, List, NamedTuple, Optional,
                    Set)

import torch
from mmengine.logging import print_log
from torch.utils.data import get_worker_info

from mmvideomamba.datasets.inner_sets import policy_sets

# Second death at a sample: the first may have been for lack of memory.
STRIKES = 2
# Deaths in a row without a batch or a sample to blame, until a loader ends.
MAX_UNEXPLAINED = 3
_DIED = re.compile(r'DataLoader worker \(pid(?:\(s\))? ([\d, ]+)\)')


class Reading(NamedTuple):
    """A sample being read.

    Args:
        dataset (int): Number among ``policy_sets``, -1 for the whole.
        sample (int): Number of the sample in the data set.
    """
    dataset: int
    sample: int


class ReadingBoard:
    """Notes of all workers about the samples being read, in shared memory.

    Args:
        workers (int): Workers of the loader.
    """

    def __init__(self, workers: int) -> None:
        # Shared memory, since a worker killed inside of a decoder sends no
        # last message.
        # Columns: process, whether a sample is being read, data set, sample.
        self.notes = torch.zeros(workers, 4, dtype=torch.int64).share_memory_()

    def enter(self, dataset: int, index: int) -> None:
        """Note the beginning of a sample in this worker.

        Args:
            dataset (int): See ``Reading``.
            index (int): See ``Reading``.
        """
        worker = get_worker_info()
        if worker is not None:
            self.notes[worker.id] = torch.tensor(
                [os.getpid(), 1, dataset, index])

    def leave(self) -> None:
        """Note the end of a sample in this worker."""
        worker = get_worker_info()
        if worker is not None:
            self.notes[worker.id, 1] = 0

    def of(self, processes: Set[int]) -> List[Reading]:
        """Return the samples in the hands of processes.

        Args:
            processes (set[int]): Numbers of processes.

        Returns:
            list[Reading]: At most one for each process.
        """
        return [
            Reading(dataset, index)
            for process, reading, dataset, index in self.notes.tolist()
            if process in processes and reading
        ]


class _Enter:
    """``ReadingBoard.enter`` for a data set; can be sent to a process."""

    def __init__(self, board: ReadingBoard, dataset: int) -> None:
        self.board, self.dataset = board, dataset

    def __call__(self, index: int) -> None:
        self.board.enter(self.dataset, index)


class Introduce:
    """Function for a new worker, to note the number of its process.

    Args:
        board (ReadingBoard): Of the loader.
        start (Callable, optional): Called afterwards with the number of the
            worker. Defaults to None.
    """

    def __init__(self, board: ReadingBoard,
                 start: Optional[Callable[[int], Any]]) -> None:
        self.board, self.start = board, start

    def __call__(self, worker: int) -> None:
        # torch's errors name processes, not numbers of workers.
        self.board.notes[worker] = torch.tensor([os.getpid(), 0, 0, 0])
        if self.start is not None:
            self.start(worker)


def dead_workers(error: RuntimeError) -> Set[int]:
    """Return the dead processes of an error of torch.

    Args:
        error (RuntimeError): Of a loader's iterator.

    Returns:
        set[int]: Empty for other errors.
    """
    found = _DIED.match(str(error))
    return {int(x) for x in found[1].split(',')} if found else set()


class ChildSignals:
    """Handle SIGCHLD: raise in the loader alone.

    torch's handler raises a worker's death wherever the trainer is, in the
    middle of a training step, say.

    Args:
        handler (Callable): torch's.
    """

    def __init__(self, handler: Any) -> None:
        self.handler = handler
        self.dead: Set[int] = set()
        self.awaited: Optional['WorkerDeaths'] = None

    def __call__(self, number: int, frame: Any) -> None:
        try:
            self.handler(number, frame)
        except RuntimeError as error:
            found = dead_workers(error)
            if not found:
                raise
            self.dead |= found
            if self.awaited is not None and self.awaited.reads(found):
                raise

    @classmethod
    def install(cls) -> Optional['ChildSignals']:
        """Take the place of torch's handler, once there is one.

        Returns:
            ChildSignals, optional: None in a thread, where the iterator of
            a loader finds a dead worker after some seconds.
        """
        handler = signal.getsignal(signal.SIGCHLD)
        if threading.current_thread() is not threading.main_thread():
            return None
        if callable(handler) and not isinstance(handler, cls):
            handler = cls(handler)
            signal.signal(signal.SIGCHLD, handler)
        return handler if isinstance(handler, cls) else None


class WorkerDeaths:
    """Decide how a loader goes on after the death of a worker.

    The sample in the worker's hands is tried again, as a worker can die for
    lack of memory. At the second death the sample counts as a bad medium,
    see ``BadMediaMixin``, and the policy of the data set decides.

    Args:
        dataset (Dataset): Of the loader.
        workers (int): Workers of the loader.
    """

    def __init__(self, dataset: Any, workers: int) -> None:
        self.board = ReadingBoard(workers)
        self.sets = list(policy_sets(dataset))
        self.strikes: Dict[Reading, int] = {}
        self.unexplained = 0
        for number, one in enumerate(self.sets):
            one.note_reading = _Enter(self.board, number)

    def reads(self, processes: Set[int]) -> bool:
        """Tell whether one of some processes is a worker of the loader.

        Args:
            processes (set[int]): Numbers of processes.

        Returns:
            bool: Whether any of them is.
        """
        return bool(processes & set(self.board.notes[:, 0].tolist()))

    def wait(self, batches: Iterator[Any]) -> Any:
        """Return the next batch.

        Args:
            batches (Iterator): Of the loader.

        Returns:
            Any: The batch.

        Raises:
            StopIteration: After the last batch.
            RuntimeError: If a worker died.
        """
        signals = ChildSignals.install()
        if signals is None:
            return next(batches)
        # The worker died while the trainer was in a step; raised here, the
        # error finds the loader ready to start workers again.
        if self.reads(signals.dead):
            dead, signals.dead = signals.dead, set()
            raise RuntimeError(
                f'DataLoader worker (pid(s) {", ".join(map(str, dead))}) '
                'exited unexpectedly')
        signals.awaited = self
        try:
            batch = next(batches)
        finally:
            signals.awaited = None
        self.unexplained = 0
        return batch

    def survive(self, error: RuntimeError) -> None:
        """Blame a sample, or give up.

        Args:
            error (RuntimeError): Of the loader's iterator.

        Raises:
            RuntimeError: If the error is not a death of a worker, workers die
                without reading, or no policy covers the sample.
        """
        processes = dead_workers(error)
        if not processes:
            raise error
        signals = ChildSignals.install()
        if signals is not None:
            # A death must not count again in the next wait.
            signals.dead -= processes
        found = self.board.of(processes)
        self.unexplained = 0 if found else self.unexplained + 1
        if self.unexplained > MAX_UNEXPLAINED:
            raise error
        for reading in found:
            self.strikes[reading] = self.strikes.get(reading, 0) + 1
            if self.strikes[reading] >= STRIKES:
                self._condemn(reading, error)
        names = ' at ' + ', '.join(map(self._name, found)) if found else ''
        print_log(
            f'a worker of the data loader died{names} ({str(error).strip()}); '
            'the loader starts its workers again', 'current', 30)

    def _condemn(self, reading: Reading, error: RuntimeError) -> None:
        """Leave a sample to the policy of the data set."""
        if reading.dataset < 0:
            raise RuntimeError(
                f'workers of the data loader died {STRIKES} times at '
                f'{self._name(reading)}; look at the sample with '
                'num_workers=0, or take the sample from the list') from error
        self.sets[reading.dataset].known_deadly.add(reading.sample)

    def _name(self, reading: Reading) -> str:
        """Name a sample for messages."""
        if reading.dataset < 0:
            return f'sample {reading.sample}'
        dataset: Any = self.sets[reading.dataset]
        path = dataset.get_data_info(reading.sample).get(dataset.path_key, '')
        return f'sample {reading.sample} of {dataset.source} ({path})'
