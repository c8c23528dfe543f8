"""Actions after an import run once, at the import."""
import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import List

from mmvideomamba.compat.import_hooks import AfterImport, stand_in


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
    for name in ('first', 'second'):
        AfterImport.register(
            'healed_twice', lambda module, name=name: calls.append(name))
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
