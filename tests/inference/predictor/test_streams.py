"""Several inputs are read side by side, each a part ahead."""
import threading
from typing import Any, Iterator, List

import pytest

from mmvideomamba.inference.predictor.streams import in_order, read_streams


@pytest.mark.parametrize('workers', [0, 1, 2, 5])
def test_all_parts(workers: int) -> None:

    def read(item: int) -> Iterator[int]:
        yield from range(1, item + 1)
        if item == 2:
            raise ValueError('bad')

    found: dict = {0: [], 1: [], 2: [], 3: []}
    errors = {}
    for part in read_streams([3, 0, 2, 1], read, workers):
        if part.value is None:
            errors[part.number] = str(part.error)
        else:
            found[part.number].append(part.value)
    assert found == {0: [1, 2, 3], 1: [], 2: [1, 2], 3: [1]}
    assert errors == {0: 'None', 1: 'None', 2: 'bad', 3: 'None'}


def test_a_part_ahead_and_closed() -> None:
    """A long input is read one part ahead, and closed at the end."""
    made: List[int] = []
    closed = threading.Event()

    def read(item: Any) -> Iterator[int]:
        try:
            for i in range(1, 100):
                made.append(i)
                yield i
        finally:
            closed.set()

    stream: Any = read_streams(['x'], read, 1)
    assert next(stream).value == 1
    assert len(made) <= 3
    stream.close()
    assert closed.wait(60) and len(made) <= 4


def test_ahead_of_a_long_input() -> None:
    """Few other inputs are finished before the first, long input."""
    done: List[int] = []
    order = []
    for part in read_streams([9] + [1] * 8, lambda n: iter(range(1, n + 1)), 2,
                             3):
        if part.value is None:
            done.append(part.number)
        order.append(part.number)
    # Before the end of input 0, no input after input 2 begins.
    assert done[:3] == [1, 2, 0] and sorted(done) == list(range(9))
    assert max(order[:order.index(3)]) == 2
    assert order.index(3) > len(order) - 1 - order[::-1].index(0)


def test_order() -> None:
    found = in_order(iter([2, 0, 3, 1]), int)
    assert list(found) == [0, 1, 2, 3]
