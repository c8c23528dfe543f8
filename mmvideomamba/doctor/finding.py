"""A line of the report, and the trial of a probe."""
from dataclasses import dataclass
from typing import Callable

OK, NOTE, FAIL = 'ok', 'note', 'FAIL'


@dataclass
class Finding:
    """A line of the report.

    Args:
        status (str): 'ok', 'note' (works, or is optional) or 'FAIL'.
        name (str): Subject of the line.
        text (str): Result.
    """
    status: str
    name: str
    text: str


def try_probe(name: str, probe: Callable[[], str]) -> Finding:
    """Run a probe; an exception is the finding.

    Args:
        name (str): Subject of the line.
        probe (Callable): Returns the text of a success.

    Returns:
        Finding: The text, or a failure with the exception.
    """
    try:
        return Finding(OK, name, probe())
    except Exception as error:
        text = ' '.join(str(error).split()) or 'no message'
        return Finding(FAIL, name, f'{type(error).__name__}: {text[:300]}')
