"""What mypy leaves to people: few ignores, with reasons, and no exception."""
import re
from configparser import ConfigParser
from pathlib import Path
from typing import List, Tuple

import pytest

ROOT = Path(__file__).parents[1]
LIMIT = 20
# Kernels, whose arguments Triton and numba type.
KERNELS = {'disallow_untyped_defs', 'disallow_incomplete_defs'}


def unexplained(lines: List[str]) -> Tuple[int, List[str]]:
    """Count the ignores of a file, and list those without code or reason."""
    found = [i for i, line in enumerate(lines) if '# type: ignore' in line]
    bad = []
    for i in found:
        start = i
        while start and lines[start - 1].lstrip().startswith('@'):
            start -= 1
        code = re.search(r'# type: ignore\[[a-z-]+\]', lines[i])
        if not code or not lines[start - 1].lstrip().startswith('#'):
            bad.append(f'{i + 1}: {lines[i].strip()}')
    return len(found), bad


def test_ignores() -> None:
    """Ignores of the package are few, and each has a code and a comment."""
    total, bad = 0, []
    for path in sorted((ROOT / 'mmvideomamba').rglob('*.py')):
        count, faults = unexplained(path.read_text('utf-8').splitlines())
        total += count
        bad += [f'{path}:{fault}' for fault in faults]
    assert not bad
    assert 0 < total <= LIMIT


@pytest.mark.parametrize('text, bad', [
    ('# Why.\nx = 1  # type: ignore[misc]', 0),
    ('# Why.\n@property\ndef f():  # type: ignore[misc]', 0),
    ('y = 1\nx = 1  # type: ignore[misc]', 1),
    ('# Why.\nx = 1  # type: ignore', 1),
])
def test_unexplained(text: str, bad: int) -> None:
    """A code and a comment above are asked for."""
    count, faults = unexplained(text.splitlines())
    assert (count, len(faults)) == (1, bad)


def test_settings() -> None:
    """No module of the package is left out of the check."""
    config = ConfigParser()
    config.read(ROOT / 'setup.cfg')
    assert '-m mypy mmvideomamba tools ' in (ROOT / 'Makefile').read_text()
    assert 'exclude' not in config['mypy']
    assert not [key for key in config['mypy'] if key.startswith('ignore')]
    for name in config.sections():
        if name.startswith('mypy-mmvideomamba'):
            assert set(config[name]) == KERNELS
