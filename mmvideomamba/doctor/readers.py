"""Readers of videos."""
import importlib
from typing import Any, Iterator

from .finding import FAIL, NOTE, OK, Finding, try_probe


def readers() -> Any:
    """Import the readers of videos; an import needs mmaction2.

    Returns:
        ModuleType: The module ``datasets.video.choice``.
    """
    return importlib.import_module('mmvideomamba.datasets.video.choice')


def _check_reader(name: str) -> Finding:
    """Decode a small clip by a reader; a missing reader is a note."""
    reason = readers().try_reader(name)
    if reason:
        return Finding(NOTE, name, ' '.join(reason.split())[:300])
    return Finding(OK, name, f'{readers().reader_version(name)} decodes')


def check_readers() -> Iterator[Finding]:
    """Decode by every reader of videos; name the choice of ``auto``."""
    auto = try_probe("reader='auto'",
                     lambda: f'takes {readers().reader_in_use()}')
    if auto.status != FAIL:
        yield from map(_check_reader, readers().READERS)
    yield auto
