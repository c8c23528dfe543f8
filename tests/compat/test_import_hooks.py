"""Actions after an import run once, at the import."""
import builtins
import importlib
import importlib.util
import sys
import threading
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, Iterator, List, Sequence

import pytest

from mmvideomamba.compat.import_hooks import (AfterImport, late_functions,
                                              other_imports, stand_in)


def test_after_import_acts_once(tmp_path: Path, monkeypatch) -> None:
    """A probe for the module does not use the action up."""
    (tmp_path / 'healed_later.py').write_text('value = 1\n')
    monkeypatch.syspath_prepend(str(tmp_path))
    calls: List[ModuleType] = []
    finders = len(sys.meta_path)
    AfterImport.register('healed_later', calls.append)
    assert importlib.util.find_spec('healed_later') is not None
    assert calls == []
    module = importlib.import_module('healed_later')
    assert calls == [module] and module.value == 1
    assert len(sys.meta_path) == finders
    AfterImport.register('healed_later', calls.append)
    assert calls == [module, module]


def test_two_actions_of_a_module_both_run(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / 'healed_twice.py').write_text('')
    monkeypatch.syspath_prepend(str(tmp_path))
    calls: List[str] = []
    finders = len(sys.meta_path)

    def note(name: str, module: ModuleType) -> None:
        calls.append(name)

    for name in ('first', 'second'):
        AfterImport.register('healed_twice', partial(note, name))
    importlib.import_module('healed_twice')
    assert sorted(calls) == ['first', 'second']
    assert len(sys.meta_path) == finders


def test_stand_in_is_asked_for_public_names_alone(monkeypatch) -> None:
    """A look at the files of all modules must not import anything."""
    asked: List[str] = []

    def attribute(name: str) -> int:
        asked.append(name)
        return 1

    monkeypatch.setitem(sys.modules, 'stood_in', ModuleType('absent'))
    stand_in('stood_in', attribute)
    module = importlib.import_module('stood_in')
    assert not hasattr(module, '__file__') and not hasattr(module, '__all__')
    assert module.value == 1
    assert asked == ['value']


def test_other_imports_are_those_of_one_module() -> None:
    """Other imports work as usual, in all threads; no hook is left."""
    usual = builtins.__import__
    module = ModuleType('answered')
    asked: List[Any] = []

    def answer(name: str, taken: Sequence[str]) -> Any:
        asked.append((name, tuple(taken)))
        return ModuleType('other') if name == 'colorsys' else None

    def always(name: str, taken: Sequence[str]) -> Any:
        return answer

    def other_thread() -> None:
        exec('import colorsys', names)

    names: dict = {}
    with other_imports(module, answer):
        exec('import colorsys, json\nfrom os import path', vars(module))
        thread = threading.Thread(target=other_thread)
        thread.start()
        thread.join()
        inner = ModuleType('inner')
        with other_imports(inner, always):
            exec('import colorsys', vars(inner))
        assert builtins.__import__ is not usual
    assert builtins.__import__ is usual
    assert asked == [('colorsys', ()), ('json', ()), ('os', ('path', ))]
    assert module.colorsys.__name__ == 'other'
    assert module.json is sys.modules['json']
    assert names['colorsys'] is sys.modules['colorsys']
    assert inner.colorsys is answer


def test_a_surrounded_import_that_fails(tmp_path: Path, monkeypatch) -> None:
    """The context is left, and entered again by the next import."""
    path = tmp_path / 'surrounded.py'
    path.write_text('raise ImportError("no luck")\n')
    monkeypatch.syspath_prepend(str(tmp_path))
    seen: List[str] = []

    @contextmanager
    def frame(module: ModuleType) -> Iterator[None]:
        seen.append(f'in {module.__name__} {hasattr(module, "value")}')
        try:
            yield
        finally:
            seen.append(f'out {hasattr(module, "value")}')

    AfterImport.surround('surrounded', frame)
    AfterImport.register('surrounded', lambda module: seen.append('after'))
    with pytest.raises(ImportError, match='no luck'):
        importlib.import_module('surrounded')
    path.write_text('value = 1  # and another length of the file\n')
    importlib.invalidate_caches()
    importlib.import_module('surrounded')
    assert seen == [
        'in surrounded False', 'out False', 'in surrounded False', 'out True',
        'after'
    ]
    AfterImport.surround('surrounded', frame)
    importlib.reload(sys.modules['surrounded'])
    assert seen[-1] == 'after'


def test_late_functions() -> None:
    module = ModuleType('caller')
    with late_functions(module, {'colorsys': ['rgb_to_hsv']}):
        exec(
            'from colorsys import rgb_to_hsv\n'
            'from colorsys import rgb_to_hls, hsv_to_rgb\n', vars(module))
    colorsys = importlib.import_module('colorsys')
    assert module.rgb_to_hls is colorsys.rgb_to_hls
    assert module.rgb_to_hsv is not colorsys.rgb_to_hsv
    assert module.rgb_to_hsv(.1, .2, b=.3) == colorsys.rgb_to_hsv(.1, .2, .3)
    assert module.rgb_to_hsv.__name__ == 'rgb_to_hsv'
