"""Registered classes are found by name, and are public."""
import importlib
import subprocess
import sys
from typing import Dict

import pytest
from mmengine.registry import Registry

from mmvideomamba import registry

REGISTRIES: Dict[str, Registry] = {
    name: value
    for name, value in vars(registry).items()
    if isinstance(value, Registry) and value.scope == 'mmvideomamba'
}


def classes(found: Registry) -> Dict[str, type]:
    """Return the package's classes; other tests may register classes too."""
    for location in found._locations:
        importlib.import_module(location)
    ours = {
        key: value
        for key, value in found.module_dict.items()
        if value.__module__.startswith('mmvideomamba.')
    }
    assert ours
    return ours


@pytest.mark.parametrize('name', REGISTRIES)
def test_registered_classes_are_exported(name: str) -> None:
    """The location, where the first build looks, and the room export."""
    location, = REGISTRIES[name]._locations
    public = importlib.import_module(location).__all__
    for key, value in classes(REGISTRIES[name]).items():
        room = value.__module__.rpartition('.')[0]
        assert key in importlib.import_module(room).__all__, (key, room)
        assert key in public, (key, location)


@pytest.mark.slow
def test_a_fresh_process_finds_all_by_name() -> None:
    """No module of the package is imported by hand."""
    names = {name: list(classes(found)) for name, found in REGISTRIES.items()}
    script = ('import mmengine.registry as roots\n'
              f'for registry, names in {names}.items():\n'
              '    for name in names:\n'
              '        key = f"mmvideomamba.{name}"\n'
              '        assert getattr(roots, registry).get(key), key\n')
    subprocess.run([sys.executable, '-c', script], check=True)
