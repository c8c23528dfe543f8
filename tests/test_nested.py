"""The comparison of nested containers finds the differences."""
import torch
from nested import differences


def test_places_of_differences() -> None:
    one: dict = dict(a=[torch.ones(2), 3], b=dict(c=torch.zeros(1)))
    assert not differences(one, dict(one), 'x')
    other: dict = dict(a=[torch.ones(2), 4], b=dict(c=torch.ones(1)))
    assert differences(one, other, 'x') == ['x.a.1', 'x.b.c']
    assert differences(one, dict(a=1), 'x') == ['x']
    assert differences([1], [1, 2], 'x') == ['x']
