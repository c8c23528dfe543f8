"""A slow call ends with an error, and the file is remembered."""
import threading

import pytest

from mmvideomamba.datasets.video import HungMediaError, time_limit
from mmvideomamba.datasets.video.time_limit import (add_hung, hung_files,
                                                    run_limited)


@pytest.fixture(autouse=True)
def nothing_hung(monkeypatch):
    monkeypatch.setattr(time_limit, '_hung', set())


@pytest.mark.parametrize('seconds', [None, 60])
def test_result_and_error_pass(seconds) -> None:
    assert run_limited(lambda: 3, seconds, 'a.mp4') == 3
    with pytest.raises(ZeroDivisionError):
        run_limited(lambda: 1 / 0, seconds, 'a.mp4')
    assert not hung_files()


def test_hung_file_is_not_tried_again() -> None:
    gate = threading.Event()
    with pytest.raises(HungMediaError, match='a.mp4 .* within 0.05 s'):
        run_limited(gate.wait, 0.05, 'a.mp4')
    gate.set()
    assert hung_files() == {'a.mp4'}
    with pytest.raises(HungMediaError, match='a.mp4 has let'):
        run_limited(lambda: 3, 60, 'a.mp4')
    assert run_limited(lambda: 3, 60, 'b.mp4') == 3


def test_files_that_hung_elsewhere() -> None:
    add_hung(['b.mp4'])
    with pytest.raises(HungMediaError, match='b.mp4'):
        run_limited(lambda: 3, None, 'b.mp4')
