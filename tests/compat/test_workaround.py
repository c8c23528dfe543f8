"""A workaround heals once, with a cause; packages are found unimported."""
import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, Callable, List

import pytest

from mmvideomamba.compat.workaround import (Workaround, installed_version,
                                            package_dir)


def workaround(cause: str, cure: Callable[[Any], None], *modules:
               str) -> Workaround:
    return Workaround(
        name='name',
        cause=lambda: cause,
        link='link',
        until='release',
        modules=modules,
        cure=cure)


@pytest.mark.parametrize('cause, state, calls', [
    ('old host', 'applied', [sys]),
    ('', 'not needed', []),
])
def test_apply_to_an_imported_module(cause: str, state: str,
                                     calls: List[ModuleType]) -> None:
    called: List[ModuleType] = []
    healed = workaround(cause, called.append, 'sys')
    healed.apply()
    healed.apply()
    assert (healed.state, healed.reason) == (state, cause)
    assert called == calls


def test_apply_to_modules_imported_later(tmp_path: Path, monkeypatch) -> None:
    """The cause is looked for once, with the first of the modules."""
    monkeypatch.syspath_prepend(str(tmp_path))
    called: List[str] = []
    healed = workaround('old host', lambda module: called.append(module.name),
                        'late_host_a', 'late_host_b')
    healed.apply()
    assert healed.state == ''
    for name in ('b', 'a'):
        (tmp_path / f'late_host_{name}.py').write_text(f'name = {name!r}\n')
        importlib.import_module(f'late_host_{name}')
        assert healed.state == 'applied'
    assert called == ['b', 'a']


def test_decide_heals_nothing() -> None:
    called: List[Any] = []
    healed = workaround('old host', called.append, 'sys')
    assert healed.decide() == 'applied' and called == []


def test_failed_cure_is_not_reported_as_applied() -> None:

    def fail(module: Any) -> None:
        raise RuntimeError

    healed = workaround('cause', fail, 'sys')
    with pytest.raises(RuntimeError):
        healed.apply()
    assert healed.state == ''


def test_package_dir() -> None:
    folder = package_dir('mmpretrain')
    assert folder is not None and (folder / 'version.py').is_file()
    assert package_dir('no_such_package') is None


def test_installed_version() -> None:
    assert installed_version('mmaction2') == '1.2.0'
    assert installed_version('no-such-distribution') == ''


def test_a_package_refused_by_a_finder(monkeypatch) -> None:
    """The hosts take the error for an absent package, too."""

    class Refusing:

        @staticmethod
        def find_spec(name: str, *args: Any) -> None:
            if name == 'refused':
                raise ModuleNotFoundError(name)

    monkeypatch.setattr(sys, 'meta_path', [Refusing, *sys.meta_path])
    assert package_dir('refused') is None
