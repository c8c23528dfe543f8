"""A terminal gets a bar, a log a few lines."""
import io
from typing import List

import pytest

from mmvideomamba.models.multimodal import progress_bar
from mmvideomamba.models.multimodal.progress_bar import Progress


class Terminal(io.StringIO):
    """A file with ``isatty()`` true."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock(monkeypatch) -> List[float]:
    """Return a list whose only entry is the time."""
    now = [100.]
    monkeypatch.setattr(progress_bar.time, 'monotonic', lambda: now[0])
    return now


def test_bar_of_a_terminal(mm_log) -> None:
    file = Terminal()
    bar = Progress(4, 'pairs', file)
    bar.update(3)
    bar.update()
    bar.close()
    assert '3/4' in file.getvalue() and '4/4' in file.getvalue()
    assert file.getvalue().endswith('\n') and not mm_log


@pytest.mark.parametrize('seconds, lines', [
    (.04, 0),
    (1., 10),
    (10., 33),
])
def test_lines_of_a_log(mm_log, clock, seconds: float, lines: int) -> None:
    """A tenth of the work, or 30 seconds, whichever comes first."""
    file = io.StringIO()
    bar = Progress(1000, 'pairs', file)
    for _ in range(100):
        clock[0] += seconds
        bar.update(10)
    bar.close()
    assert not file.getvalue()
    # In 100 seconds each tenth takes 10; in 1000 seconds 30 are waited for.
    assert len(mm_log) == lines
    if lines == 10:
        assert mm_log[0] == ('pairs: 100 of 1000 (10%) in 10 s, about 90 s '
                             'left')


def test_no_work() -> None:
    Progress(0, 'pairs', Terminal()).close()
