"""Nobody sees a stand-in among the rows of a registry."""
import copy
import pickle
from typing import Any, Callable, List

import pytest
from mmengine.registry import Registry

from mmvideomamba.compat.late_rows import LateRows


class Early:
    """A row imported at once."""


class Late:
    """A row imported at the first use."""


class Gone:
    """A row whose package is missing."""


def late_registry(calls: List[str]) -> Registry:
    """Make a registry with a late row."""
    registry = Registry('rows', scope='tests')
    registry.register_module(module=Early)
    rows = LateRows.of(registry)

    def load() -> None:
        calls.append('Late')
        rows['Late'] = Late

    rows.add_late('Late', load)
    return registry


TABLE = dict(Early=Early, Late=Late)


@pytest.mark.parametrize('look', [
    lambda rows: rows == TABLE,
    lambda rows: TABLE == rows,
    lambda rows: not rows != TABLE,
    lambda rows: dict(rows) == TABLE,
    lambda rows: {
        **rows
    } == TABLE,
    lambda rows: rows | {} == TABLE,
    lambda rows: {} | rows == TABLE,
    lambda rows: dict(rows.items()) == TABLE,
    lambda rows: list(rows.values()) == [Early, Late],
    lambda rows: rows['Late'] is Late,
    lambda rows: rows.get('Late') is Late,
    lambda rows: rows.setdefault('Late', None) is Late,
    lambda rows: rows.pop('Late') is Late and len(rows) == 1,
    lambda rows: rows.popitem() == ('Late', Late),
    lambda rows: rows.copy() == TABLE,
    lambda rows: copy.copy(rows) == TABLE,
    lambda rows: copy.deepcopy(rows) == TABLE,
    lambda rows: pickle.loads(pickle.dumps(rows)) == TABLE,
    lambda rows: repr(rows) == repr(TABLE),
])
def test_every_look_loads(look: Callable[[Any], bool]) -> None:
    calls: List[str] = []
    assert look(late_registry(calls).module_dict)
    assert calls == ['Late']


def test_names_load_nothing() -> None:
    calls: List[str] = []
    registry = late_registry(calls)
    rows = registry.module_dict
    assert list(rows) == list(rows.keys()) == ['Early', 'Late']
    assert len(registry) == 2 and 'Late' in rows and rows['Early'] is Early
    assert rows.loaded() == [Early]
    assert LateRows.of(registry) is rows and calls == []


def test_registry_builds_a_late_row_once() -> None:
    calls: List[str] = []
    registry = late_registry(calls)
    assert isinstance(registry.build(dict(type='Late')), Late)
    assert registry.get('tests.Late') is Late and calls == ['Late']
    with pytest.raises(KeyError, match='Late is already registered'):
        registry.register_module(name='Late', module=Early)


def test_a_row_may_be_replaced() -> None:
    calls: List[str] = []
    registry = late_registry(calls)
    registry.register_module(name='Late', module=Gone, force=True)
    assert registry.get('Late') is Gone and calls == []


def test_a_package_that_cannot_be_imported() -> None:
    """Building the failing row raises the error; lists leave the row out."""

    def load() -> None:
        raise ImportError('no package gone')

    registry = Registry('rows', scope='tests')
    LateRows.of(registry).add_late('Gone', load)
    with pytest.raises(ImportError, match='no package gone'):
        registry.build(dict(type='Gone'))
    assert list(registry.module_dict.values()) == []
    assert 'Gone' not in registry
