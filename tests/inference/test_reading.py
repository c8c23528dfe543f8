"""A bad input among several loses its own result only."""
from typing import Any, List

import pytest
from mmengine.structures import BaseDataElement

from mmvideomamba.datasets.video import MediaError
from mmvideomamba.inference.reading import (for_readable, read_batches,
                                            score_batch)


def read(item: str) -> dict:
    """Refuse inputs with a name of 'bad...'."""
    if item.startswith('bad'):
        raise MediaError(item, 'is damaged')
    return dict(sample=item)


def results(*items: str, batch_size: int = 2) -> List[Any]:
    """Read and score inputs; the score of an input is its length."""

    def score(samples: List[dict]) -> List[BaseDataElement]:
        return [BaseDataElement(n=len(one['sample'])) for one in samples]

    found = []
    for batch in read_batches(items, read, batch_size):
        found += score_batch(batch, score, BaseDataElement)
    return found


@pytest.mark.parametrize('batch_size', [1, 2, 5])
def test_results_stand_at_the_places_of_their_inputs(
        batch_size: int, mm_log: List[str]) -> None:
    found = results('bad', 'aa', 'bad 2', 'b', batch_size=batch_size)
    assert [one.get('n') for one in found] == [None, 2, None, 1]
    assert [one.input_name for one in found] == ['bad', 'aa', 'bad 2', 'b']
    assert ['error' in one for one in found] == [True, False, True, False]
    assert found[2].error.startswith('video bad 2 is damaged.')
    assert mm_log[0] == '2 of 4 inputs cannot be read'
    assert 'video bad is damaged' in mm_log[1]


def test_sound_inputs_are_not_reported(mm_log: List[str]) -> None:
    assert [one.n for one in results('a', 'bbb', 'cc')] == [1, 3, 2]
    assert mm_log == []


def test_nothing_to_give() -> None:
    with pytest.raises(MediaError, match='video bad is damaged'):
        results('bad')
    with pytest.raises(ValueError, match='2 of 2 inputs cannot be read'):
        results('bad', 'bad 2')


def test_batch_size() -> None:
    with pytest.raises(ValueError, match='batch_size must be .* but is 0'):
        results('a', batch_size=0)


def test_function_sees_readable_inputs_only() -> None:
    items = ('a', 'bad', 'ccc')
    found = results(*items)
    pairs = for_readable(lambda x, y: [(i, r.n) for i, r in zip(x, y)], items,
                         found)
    assert pairs == [('a', 1), None, ('ccc', 3)]
    assert for_readable(lambda x, y: None, items, found) is None
