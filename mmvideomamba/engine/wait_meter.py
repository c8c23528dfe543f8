"""Time of a device without work, before the next batch arrives."""
import time
from collections import deque
from typing import Any, Callable, Deque, List, NamedTuple, Optional, Tuple

import torch
from torch import distributed

from .vote import cpu_group

Mark = Callable[[], Any]


class DataWaits(NamedTuple):
    """Times of a part of a training, in seconds.

    Args:
        total (float): All iterations, without the wait for the first batch
            and without validations.
        waited (float): Of the device, without work, for batches.
        first (float): Wait for the first batch after a start of the loader.
        batches (int): Number of iterations.
    """
    total: float
    waited: float
    first: float
    batches: int

    @property
    def share(self) -> float:
        """Share of the time in which the device waited, 0 to 1."""
        return self.waited / self.total if self.total > 0 else 0.


def event_marker(device: torch.device) -> Optional[Mark]:
    """Return a function that marks a place in the work of a device.

    Args:
        device (torch.device): Of the model.

    Returns:
        Callable | None: Makes an event with ``query`` and ``elapsed_time``;
        None for a CPU, where the host itself computes.
    """
    if device.type != 'cuda':
        return None

    def mark() -> Any:
        event = torch.cuda.Event(enable_timing=True)
        # Captured steps replay on the current stream, and side streams of a
        # step end before.
        event.record(torch.cuda.current_stream(device))
        return event

    return mark


class WaitMeter:
    """Measure how long a device waits for batches, and never wait for it.

    A mark after the last launch of a step and a mark at the arrival of the
    next batch enclose the time without work: both marks pass together while
    the device is busy with the step. The meter counts at most the host's time
    in the loader, and reads only marks already passed.

    Args:
        mark (Callable, optional): See ``event_marker``. Defaults to None:
            the host is the device.
        clock (Callable): Returns seconds. Defaults to ``time.perf_counter``.
    """

    def __init__(self,
                 mark: Optional[Mark] = None,
                 clock: Callable[[], float] = time.perf_counter) -> None:
        self.mark, self.clock = mark, clock
        self._marks: Deque[Tuple[float, Any, Any]] = deque()
        self._asked: Optional[Tuple[float, Any]] = None
        self._arrived: Optional[float] = None
        self._first_is_next = False
        self._total = self._waited = self._first = 0.
        self._batches = 0

    def begin(self, starts_workers: bool) -> None:
        """Begin an epoch; the host turns to the loader.

        Args:
            starts_workers (bool): Whether the first wait counts apart, for
                workers start or begin to read ahead.
        """
        self._marks.clear()
        self._arrived, self._first_is_next = None, starts_workers
        self._clear()
        self.ask()

    def ask(self) -> None:
        """Note the end of a step's launches; the host asks for a batch."""
        now = self.clock()
        if self._arrived is not None:
            self._total += now - self._arrived
        self._arrived = None
        self._asked = now, self.mark() if self.mark is not None else None

    def pause(self) -> None:
        """Leave out the time until the next ``ask``, say a validation."""
        self._asked = None

    def arrive(self) -> None:
        """Note the arrival of a batch."""
        now = self._arrived = self.clock()
        self._batches += 1
        asked, self._asked = self._asked, None
        if asked is None:
            return
        limit = now - asked[0]
        if self._first_is_next:
            self._first, self._first_is_next = limit, False
            return
        self._total += limit
        if self.mark is None:
            self._waited += limit
            return
        self._marks.append((limit, asked[1], self.mark()))
        self._read()

    def take(self) -> DataWaits:
        """Return the times since the last call, or the beginning.

        Returns:
            DataWaits: Marks of a busy device count in the next call, and not
            at all after ``begin``: no time without work lies before them.
        """
        self._read()
        found = DataWaits(self._total, self._waited, self._first,
                          self._batches)
        self._clear()
        return found

    def _clear(self) -> None:
        self._total = self._waited = self._first = 0.
        self._batches = 0

    def _read(self) -> None:
        """Count the marks that the device has passed."""
        # Marks pass in order, so the mark of the arrival tells for both.
        while self._marks and self._marks[0][2].query():
            limit, end, arrival = self._marks.popleft()
            idle = end.elapsed_time(arrival) / 1e3  # milliseconds
            self._waited += min(limit, max(idle, 0.))


def gather(own: DataWaits) -> List[DataWaits]:
    """Return the times of all processes, without waiting for a device.

    All processes must call the function in the same order as other
    collectives.

    Args:
        own (DataWaits): Of this process.

    Returns:
        list[DataWaits]: In the order of the processes.
    """
    if not distributed.is_available() or not distributed.is_initialized():
        return [own]
    mine = torch.tensor(own, dtype=torch.float64)
    found = [
        torch.empty_like(mine) for _ in range(distributed.get_world_size())
    ]
    distributed.all_gather(found, mine, group=cpu_group())
    return [
        DataWaits(total, waited, first, int(batches))
        for total, waited, first, batches in (x.tolist() for x in found)
    ]
