"""Lines of a log that are not repeated."""
import logging
from typing import Set

from mmengine.logging import print_log

_SAID: Set[str] = set()


def log_once(message: str, level: int = logging.INFO) -> None:
    """Log a message, unless the process has logged the same words before.

    Args:
        message (str): A line or more.
        level (int): Of the module logging. Defaults to ``logging.INFO``.
    """
    if message not in _SAID:
        _SAID.add(message)
        print_log(message, 'current', level)
