"""Parts of several long inputs, read by threads, a few at a time."""
import threading
from collections import deque
from queue import Empty, Full, Queue
from typing import (Any, Callable, Deque, Iterable, Iterator, List, NamedTuple,
                    Optional, Sequence)

_WAIT = 0.1  # seconds between looks at a request to stop


class Part(NamedTuple):
    """A part of an input.

    Args:
        number (int): Of the input, from 0 on.
        value (Any): The part; None at the end of the input.
        error (BaseException, optional): At a failed end. Defaults to None.
    """
    number: int
    value: Any
    error: Any = None


class _Stream:
    """A thread for an input, a part ahead of the caller."""

    def __init__(self, index: int, item: Any, read: Callable[[Any],
                                                             Iterator[Any]],
                 stop: threading.Event) -> None:
        self.index, self.item, self.read, self.stop = index, item, read, stop
        self.queue: 'Queue[Part]' = Queue(1)
        # A thread inside of a decoder must not hold up the end of the process.
        threading.Thread(target=self._fill, daemon=True).start()

    def _fill(self) -> None:
        """Put all parts into the queue, and the end."""
        parts = None
        try:
            parts = self.read(self.item)
            for value in parts:
                if not self._put(Part(self.index, value)):
                    return
            self._put(Part(self.index, None))
        except BaseException as error:
            # An error in a thread would go unseen; the caller raises the
            # error.
            self._put(Part(self.index, None, error))
        finally:
            # A stopped generator would keep the video open.
            if parts is not None and hasattr(parts, 'close'):
                parts.close()

    def _put(self, part: Part) -> bool:
        """Put a part into the queue, unless the reading stops."""
        while not self.stop.is_set():
            try:
                self.queue.put(part, timeout=_WAIT)
                return True
            except Full:
                pass
        return False

    def get(self) -> Part:
        """Wait for the next part."""
        while True:
            try:
                return self.queue.get(timeout=_WAIT)
            except Empty:
                pass


def read_streams(items: Sequence[Any],
                 read: Callable[[Any], Iterator[Any]],
                 workers: int,
                 ahead: Optional[int] = None) -> Iterator[Part]:
    """Read the parts of inputs, several inputs side by side.

    Each input in progress holds at most two parts in memory, whatever the
    length is.

    Args:
        items (Sequence): The inputs.
        read (Callable): From an input to an iterator of parts.
        workers (int): Inputs in progress, each with a thread; at least 1.
        ahead (int, optional): Inputs that may begin before the first of them
            is done, which bounds the results to be brought into order.
            Defaults to None, any number.

    Yields:
        Part: The parts of an input in order, then the end; several inputs
        take turns.
    """
    stop = threading.Event()
    waiting = deque(enumerate(items))
    active: Deque[_Stream] = deque()
    try:
        while waiting or active:
            while waiting and len(active) < max(1, workers):
                # Results after a long input wait in memory until the long
                # input is done.
                if ahead and active and not _near(waiting[0][0], active,
                                                  ahead):
                    break
                active.append(_Stream(*waiting.popleft(), read, stop))
            stream = active.popleft()
            part = stream.get()
            if part.value is not None:
                active.append(stream)
            yield part
    finally:
        stop.set()


def _near(index: int, active: Iterable[_Stream], ahead: int) -> bool:
    """Tell whether an input may begin, see ``read_streams``."""
    return index - min(one.index for one in active) < ahead


def in_order(done: Iterator[Any], index: Callable[[Any], int]) -> Iterator:
    """Bring results into the order of the inputs.

    Args:
        done (Iterator): Results as they are finished.
        index (Callable): Number of a result.

    Yields:
        Any: The results by number, from 0 on.
    """
    kept: dict = {}
    turn = 0
    for one in done:
        kept[index(one)] = one
        while turn in kept:
            yield kept.pop(turn)
            turn += 1
    rest: List[Any] = [kept[key] for key in sorted(kept)]
    yield from rest
