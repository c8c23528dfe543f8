"""Logs apart from results: the standard output is for results alone."""
import logging
import sys
from contextlib import contextmanager, redirect_stdout
from typing import Iterator, TextIO

from mmengine.logging import MMLogger


@contextmanager
def logs_to_stderr() -> Iterator[TextIO]:
    """Let the loggers of the hosts write to the standard error.

    Yields:
        TextIO: The standard output, for results.
    """
    stream = sys.stdout
    # A logger keeps the stream of the time when it was made.
    moved = [
        handler for handler in MMLogger.get_current_instance().handlers if
        isinstance(handler, logging.StreamHandler) and handler.stream is stream
    ]
    for handler in moved:
        handler.setStream(sys.stderr)
    try:
        with redirect_stdout(sys.stderr):
            yield stream
    finally:
        for handler in moved:
            handler.setStream(stream)
