"""Keywords of a class are found through bases with ``**kwargs``."""
import functools
from typing import Any, Callable

import pytest
from torch import nn

from mmvideomamba.config_check.signature import keywords


class Base:

    def __init__(self, a: int, *, b: int = 0) -> None:
        self.a, self.b = a, b


class Passing(Base):

    def __init__(self, c: int, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)


class PassingOldStyle(Base):

    def __init__(self, d: int, **rest: Any) -> None:
        super(PassingOldStyle, self).__init__(a=d, **rest)


class Between(Passing):
    """No own __init__."""


class Reading(Base):

    def __init__(self, **kwargs: Any) -> None:
        self.seen = kwargs.pop('seen', None)
        super().__init__(**kwargs)


class Popping(Base):

    def __init__(self, name: str, **kwargs: Any) -> None:
        self.seen = kwargs.pop(name)
        super().__init__(**kwargs)


class Keeping(Base):

    def __init__(self, **kwargs: Any) -> None:
        self.kwargs = kwargs
        super().__init__(1)


class AboveReading(Reading):

    def __init__(self, e: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)


class Empty:
    pass


class Made:

    def __new__(cls, **kwargs: Any) -> 'Made':
        return super().__new__(cls)


class Wrapped(Base):

    @functools.wraps(Base.__init__)
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)


def function(x: int, y: int = 1) -> int:
    return x + y


def open_function(x: int, **kwargs: Any) -> int:
    return x


@pytest.mark.parametrize('target, names', [
    (Base, 'ab'),
    (Passing, 'abc'),
    (PassingOldStyle, 'abd'),
    (Between, 'abc'),
    (Reading, ('a', 'b', 'seen')),
    (Popping, None),
    (Keeping, None),
    (AboveReading, ('a', 'b', 'e', 'seen')),
    (Empty, ''),
    (Made, None),
    (Wrapped, 'ab'),
    (function, 'xy'),
    (open_function, None),
])
def test_keywords(target: Callable, names: Any) -> None:
    assert keywords(target) == (None if names is None else frozenset(names))


def test_classes_of_torch() -> None:
    found = keywords(nn.Linear)
    assert found is not None and 'bias' in found and 'self' not in found
    assert "self" not in (keywords(print) or ())
