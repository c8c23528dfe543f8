"""Progress of long work, on a terminal or in a log."""
import sys
import time
from typing import Any, Optional, TextIO

from mmengine.logging import print_log
from mmengine.utils import ProgressBar


class Progress:
    """Show a bar on a terminal, and write a few lines to a log elsewhere.

    A log file gets a line after each tenth of the work, but none within
    ``shortest`` seconds of the line before, and one after ``longest`` seconds
    at the latest. Work of less than ``shortest`` seconds writes nothing.

    Args:
        total (int): Units of work, for example pairs.
        name (str): Name of the work, with the unit, as in 'judged pairs'.
        file (TextIO, optional): Stream of the bar, where ``isatty`` decides
            between bar and lines. Defaults to None, ``sys.stdout``.
        shortest (float): Seconds. Defaults to 5.
        longest (float): Seconds. Defaults to 30.
    """

    def __init__(self,
                 total: int,
                 name: str,
                 file: Optional[TextIO] = None,
                 shortest: float = 5.,
                 longest: float = 30.) -> None:
        file = sys.stdout if file is None else file
        self.total, self.name = total, name
        self.shortest, self.longest = shortest, longest
        self.done = self._told = 0
        self._start = self._last = time.monotonic()
        self._bar: Any = None
        if total and file.isatty():
            self._bar = ProgressBar(total, file=file)

    def update(self, done: int = 1) -> None:
        """Count finished work.

        Args:
            done (int): Units since the last call, at least 1. Defaults to 1.
        """
        self.done += done
        if self._bar:
            self._bar.update(done)
            return
        now = time.monotonic()
        waited = now - self._last
        tenth = 10 * (self.done - self._told) >= self.total
        if waited < self.shortest or not (tenth or waited >= self.longest):
            return
        spent = now - self._start
        left = spent * (self.total - self.done) / self.done
        print_log(
            f'{self.name}: {self.done} of {self.total} '
            f'({self.done / self.total:.0%}) in {spent:.0f} s, about '
            f'{left:.0f} s left', 'current')
        self._last, self._told = now, self.done

    def close(self) -> None:
        """End the line of a bar."""
        if self._bar:
            self._bar.file.write('\n')
