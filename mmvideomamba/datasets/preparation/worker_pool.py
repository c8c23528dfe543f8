"""Processes for tasks that may hang or crash.

A decoder can hang on a file, or take the whole process along. The pools of
the standard library then wait forever, or give all tasks up.
"""
import collections
import multiprocessing
import os
import signal
import time
from multiprocessing.connection import Connection, wait
from typing import (Any, Callable, Deque, Generator, Iterable, List, Optional,
                    Tuple, TypeVar)

from mmengine.utils import ProgressBar

T = TypeVar('T')
# A task is given to a function together with ``alive``, to be called
# whenever a step is done.
Function = Callable[[Any, Callable[[], None]], Any]
PAUSE = .2  # seconds between two looks at the clock
BAR_SECONDS = .2  # between two steps of a progress bar


class WorkerFault(Exception):
    """A task ended without a result.

    Args:
        kind (str): 'hung' or 'crashed'.
        text (str): The event.
    """

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind


def _serve(function: Function, pipe: Connection) -> None:
    """Work through the tasks of a pipe until the other end is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends workers
    parent = os.getppid()
    while True:
        while not pipe.poll(5):
            # Siblings hold copies of the pipe, which thus stays open.
            if os.getppid() != parent:
                return
        try:
            task = pipe.recv()
        except EOFError:
            return
        try:
            answer = ('done', function(task, lambda: pipe.send(('alive', 0))))
        except Exception as error:  # raised again by the parent
            answer = ('error', error)
        pipe.send(answer)


class _Worker:
    """A process, the pipe between both, and the current task.

    Args:
        function (Callable): See ``run_tasks``.
    """

    def __init__(self, function: Function) -> None:
        self.pipe, far_end = multiprocessing.Pipe()
        self.process = multiprocessing.Process(
            target=_serve, args=(function, far_end), daemon=True)
        self.process.start()
        far_end.close()  # so that the end of the process ends the pipe
        self.position = -1
        self.since = 0.

    def give(self, position: int, task: Any) -> None:
        """Send a task."""
        self.position, self.since = position, time.monotonic()
        self.pipe.send(task)

    def answer(self) -> Optional[Tuple[int, Any]]:
        """Receive; None is a sign of life without a result."""
        try:
            kind, value = self.pipe.recv()
        except (EOFError, OSError):
            self.process.join()
            return self.position, WorkerFault(
                'crashed', 'ended the process that read it (exit status '
                f'{self.process.exitcode})')
        if kind == 'alive':
            self.since = time.monotonic()
            return None
        if kind == 'error':
            raise value
        return self.position, value

    def end(self) -> None:
        """Kill the process."""
        self.process.kill()
        self.process.join()
        self.pipe.close()


def run_tasks(
    function: Function,
    tasks: List[Any],
    num_workers: int,
    time_limit: Optional[float] = None
) -> Generator[Tuple[int, Any], None, None]:
    """Work through tasks in parallel.

    Args:
        function (Callable): Gets a task and ``alive``, to be called after
            each step of a long task. Arguments and result are picklable.
        tasks (list): The tasks.
        num_workers (int): Number of processes, at least 1.
        time_limit (float, optional): Longest time without a sign of life,
            in seconds; then the process is killed. Defaults to
            None, no limit.

    Yields:
        tuple[int, Any]: Position of a task, and the result or a
        ``WorkerFault``, in the order of the ends.

    Raises:
        Exception: Whatever the function raises.
    """
    waiting: Deque[int] = collections.deque(range(len(tasks)))
    idle: List[_Worker] = []
    busy: List[_Worker] = []
    try:
        while waiting or busy:
            while waiting and len(busy) < num_workers:
                worker = idle.pop() if idle else _Worker(function)
                busy.append(worker)
                position = waiting.popleft()
                worker.give(position, tasks[position])
            for worker, found in _ended(busy, time_limit):
                busy.remove(worker)
                if isinstance(found[1], WorkerFault):
                    worker.end()
                else:
                    idle.append(worker)
                yield found
    finally:
        for worker in idle + busy:
            worker.end()


def _ended(
        busy: List[_Worker],
        time_limit: Optional[float]) -> List[Tuple[_Worker, Tuple[int, Any]]]:
    """Wait a moment for workers, and collect the ends of tasks."""
    ready = wait([worker.pipe for worker in busy], PAUSE)
    found = []
    for worker in busy:
        if worker.pipe in ready:
            answer = worker.answer()
            if answer is not None:
                found.append((worker, answer))
        elif (time_limit is not None
              and time.monotonic() - worker.since > time_limit):
            fault = WorkerFault(
                'hung', 'was not decoded within the time limit of '
                f'{time_limit:g} s')
            found.append((worker, (worker.position, fault)))
    return found


def show_progress(results: Iterable[T],
                  total: int) -> Generator[T, None, None]:
    """Pass results on, and show a progress bar.

    Args:
        results (Iterable): Of ``run_tasks``.
        total (int): Number of results; 0 for no bar.

    Yields:
        Any: Each result.
    """
    bar = ProgressBar(total) if total else None
    shown = time.monotonic()
    try:
        for number, result in enumerate(results, 1):
            yield result
            now = time.monotonic()
            if bar and (now - shown > BAR_SECONDS or number == total):
                bar.update(number - bar.completed)
                shown = now
    finally:  # an error starts in a line of its own
        if bar:
            bar.file.write('\n')
