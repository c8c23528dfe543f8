"""A host's module is imported at the first use of a name or row."""
import importlib
import pickle
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, Iterator, List

import pytest
from mmengine.registry import Registry

from mmvideomamba.compat import import_hooks
from mmvideomamba.compat.import_hooks import AfterImport
from mmvideomamba.compat.late_module import LateModule

FILES = {
    'registry.py':
    "from mmengine.registry import Registry\n"
    "ROWS = Registry('rows', scope='late_host', locations=['late_host'])\n",
    '__init__.py':
    'from .inner import *\nfrom .inner import quick\n',
    'inner/__init__.py':
    'from .quick import quick\nfrom .slow import Slow\n',
    'inner/quick.py':
    'def quick(): return 1\n',
    'inner/slow.py':
    'from late_host.registry import ROWS\n'
    '@ROWS.register_module()\nclass Slow: pass\n'
    '@ROWS.register_module()\nclass Other: pass\n',
}
SLOW = 'late_host.inner.slow'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch) -> Iterator[Path]:
    """Write a host whose package takes a name from a slow module."""
    for name, text in FILES.items():
        path = tmp_path / 'late_host' / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    finders = list(sys.meta_path)
    yield tmp_path / 'late_host'
    sys.meta_path[:] = finders
    for name in (SLOW, 'late_host.inner', 'late_host'):
        import_hooks._FINDER.frames.pop(name, None)
    for name in [n for n in sys.modules if n.startswith('late_host')]:
        del sys.modules[name]


def import_host() -> ModuleType:
    """Import the host with the slow module late."""
    part = LateModule(SLOW, ('Slow', ),
                      {'late_host.registry.ROWS':
                       ('Slow', 'Other')}, ('late_host.inner', 'late_host'))
    for name in part.around:
        AfterImport.surround(name, part.surround)
    host = importlib.import_module('late_host')
    assert SLOW not in sys.modules and host.quick() == 1
    return host


def rows() -> Registry:
    return importlib.import_module('late_host.registry').ROWS


def by_name(host: Any) -> type:
    return host.Slow


def by_inner_name(host: Any) -> type:
    return importlib.import_module('late_host.inner').Slow


def by_module(host: Any) -> type:
    return importlib.import_module(SLOW).Slow


def by_attribute(host: Any) -> type:
    importlib.import_module('late_host.inner.quick')
    importlib.import_module(SLOW)
    return host.inner.slow.Slow


def by_row(host: Any) -> type:
    return rows().get('Slow')


def by_star(host: Any) -> type:
    names: dict = {}
    exec('from late_host import *', names)
    assert names['quick']() == 1
    return names['Slow']


def by_from(host: Any) -> type:
    names: dict = {}
    exec('from late_host.inner import Slow, quick', names)
    return names['Slow']


def by_pickle(host: Any) -> type:
    return pickle.loads(f'c{SLOW}\nSlow\n.'.encode())


WAYS: List[Any] = [
    by_name, by_inner_name, by_module, by_attribute, by_row, by_star, by_from,
    by_pickle
]


@pytest.mark.parametrize('way', WAYS)
def test_any_use_imports(folder: Path, way: Any) -> None:
    """Names and rows are the module's, and exist once."""
    host = import_host()
    assert list(rows().module_dict) == ['Slow', 'Other']
    found = way(host)
    module = sys.modules[SLOW]
    assert found is module.__dict__['Slow']
    assert host.Slow is rows().get('Slow') is found
    assert rows().get('Other') is module.__dict__['Other'] and len(rows()) == 2


def test_unknown_names(folder: Path) -> None:
    host = import_host()
    assert not hasattr(host, 'Fast') and rows().get('Slow')
    with pytest.raises(ImportError, match='Fast'):
        exec('from late_host import Fast')


def test_a_module_that_fails(folder: Path) -> None:
    """The error is raised by each use, and the rows stay."""
    host = import_host()
    text = (folder / 'inner/slow.py').read_text()
    (folder / 'inner/slow.py').write_text('import late_host_gone\n')
    for _ in range(2):
        with pytest.raises(ImportError, match='late_host_gone'):
            rows().build(dict(type='Slow'))
    (folder / 'inner/slow.py').write_text(text)
    importlib.invalidate_caches()
    assert host.Slow is rows().get('Slow')


def test_a_host_without_the_name(folder: Path) -> None:
    """A package without the import of the module gets no names or rows."""
    (folder / 'inner/__init__.py').write_text('from .quick import quick\n')
    host = import_host()
    assert list(rows().module_dict) == [] and not hasattr(host, 'Slow')
    assert '__all__' not in vars(host)


def test_an_imported_host_is_left_alone(folder: Path) -> None:
    host = importlib.import_module('late_host')
    part = LateModule(SLOW, ('Slow', ), {}, ('late_host.inner', 'late_host'))
    for name in part.around:
        AfterImport.surround(name, part.surround)
    assert vars(importlib.reload(host))['Slow'] is sys.modules[SLOW].Slow
