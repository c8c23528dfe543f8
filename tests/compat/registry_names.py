"""List the hosts' registered and exported names, with or without late imports.

    python tests/compat/registry_names.py [eager]

Prints JSON: the rows of all registries of the hosts, the names of ``import *``
from packages with late names, and the packages imported by the hosts before
the first look at a row.
"""
import importlib
import json
import sys
from types import ModuleType
from typing import Any, Dict, List

from mmengine.registry import Registry

import mmvideomamba

LATE = ('matplotlib', 'scipy.stats', 'sympy', 'torch._dynamo',
        'torch.distributed.fsdp', 'transformers')
PACKAGES = ('mmaction.models', 'mmaction.models.multimodal', 'mmengine.optim',
            'mmengine.optim.optimizer', 'mmengine.model',
            'mmengine.model.wrappers', 'mmengine._strategy')
REGISTRIES = ('mmengine.registry', 'mmaction.registry', 'mmpretrain.registry')
HOSTS = ('mmaction.models', 'mmaction.datasets', 'mmpretrain.models',
         'mmengine.runner', 'mmengine.visualization')


def rows(registry: Any) -> Dict[str, str]:
    """Name the object behind each row."""
    return {
        name:
        '.'.join(
            getattr(value, part, '')
            for part in ('__module__', '__qualname__'))
        for name, value in registry.module_dict.items()
    }


def registries(module: ModuleType) -> Dict[str, Dict[str, str]]:
    """List the rows of a module's registries."""
    return {
        f'{module.__name__}.{name}': rows(value)
        for name, value in vars(module).items() if isinstance(value, Registry)
    }


def stars(package: str) -> List[str]:
    """List the names of ``from package import *``."""
    names: Dict[str, Any] = {}
    exec(f'from {package} import *', names)
    return sorted(set(names) - {'__builtins__'})


def main() -> None:
    """Print the lists."""
    if 'eager' in sys.argv:
        mmvideomamba.compat.import_hooks._FINDER.frames.clear()
    for host in HOSTS:
        importlib.import_module(host)
    imported = [name for name in LATE if name in sys.modules]
    found: Dict[str, Dict[str, str]] = {}
    for name in REGISTRIES:
        found.update(registries(importlib.import_module(name)))
    print(json.dumps([found, {p: stars(p) for p in PACKAGES}, imported]))


if __name__ == '__main__':
    main()
