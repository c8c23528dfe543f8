"""Registered classes are found by their names, and are public."""
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


@pytest.mark.parametrize('name', REGISTRIES)
def test_registered_classes_are_exported(name: str) -> None:
    """By the location, where the first build looks, and by their rooms."""
    location, = REGISTRIES[name]._locations
    public = importlib.import_module(location).__all__
    # Other tests may register classes of their own.
    ours = {
        key: value
        for key, value in REGISTRIES[name].module_dict.items()
        if value.__module__.startswith('mmvideomamba.')
    }
    assert ours
    for key, value in ours.items():
        room = value.__module__.rpartition('.')[0]
        assert key in importlib.import_module(room).__all__, (key, room)
        assert key in public, (key, location)


@pytest.mark.slow
def test_a_fresh_process_finds_all_by_name() -> None:
    """Without any import of ours but that of the registry's name."""
    names = {
        name:
        sorted(key for key, value in found.module_dict.items()
               if value.__module__.startswith('mmvideomamba.'))
        for name, found in REGISTRIES.items()
    }
    script = ('import mmengine.registry as roots\n'
              f'for registry, names in {names}.items():\n'
              '    for name in names:\n'
              '        key = f"mmvideomamba.{name}"\n'
              '        assert getattr(roots, registry).get(key), key\n')
    subprocess.run([sys.executable, '-c', script], check=True)
