"""Threads read in order, a bounded number ahead."""
import threading
from typing import Any, List

import pytest

from mmvideomamba.datasets.video import MediaError
from mmvideomamba.inference.predictor.read_ahead import (read_ahead,
                                                         usual_workers)


@pytest.mark.parametrize('workers', [0, 1, 3])
def test_order_and_errors(workers: int) -> None:

    def read(item: int) -> int:
        if item == 2:
            raise MediaError('x.mp4', 'is bad')
        return item * 10

    found = list(read_ahead(range(5), read, workers, 4))
    assert [one.item for one in found] == [0, 1, 2, 3, 4]
    assert [one.value for one in found] == [0, 10, None, 30, 40]
    assert 'x.mp4' in str(found[2].error)


def test_bounded() -> None:
    """At most the allowed number of inputs is read ahead."""
    started: List[int] = []
    gate = threading.Semaphore(0)

    def read(item: int) -> int:
        started.append(item)
        gate.release()
        return item

    reading: Any = read_ahead(range(20), read, 2, 3)
    assert next(reading).value == 0
    for _ in range(3):
        assert gate.acquire(timeout=60)
    assert len(started) == 3
    reading.close()


def test_other_errors_end_the_reading() -> None:

    def read(item: int) -> int:
        raise KeyError(item)

    with pytest.raises(KeyError):
        list(read_ahead(range(3), read, 2, 2))


def test_usual_workers() -> None:
    assert 1 <= usual_workers() <= 8
