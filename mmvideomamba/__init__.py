"""VideoMamba for OpenMMLab.

Importing the package heals what the released hosts break on current torch,
numpy and transformers (see ``compat``) and nothing else: no model, dataset or
host model is imported, so it may stand first in any script or config.
``load``, ``save_pretrained`` and ``VideoMamba`` are imported at their first
use.
"""
import importlib
from typing import Any, List

from . import compat
from .version import __version__

compat.apply()

_LATE = dict(
    VideoMamba='models',
    load='inference.saved',
    save_pretrained='inference.saved')

__all__ = ['VideoMamba', '__version__', 'compat', 'load', 'save_pretrained']


def __getattr__(name: str) -> Any:
    """Import a public name at its first use."""
    if name not in _LATE:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    found = getattr(importlib.import_module(f'{__name__}.{_LATE[name]}'), name)
    globals()[name] = found
    return found


def __dir__() -> List[str]:
    """List the late names too."""
    return sorted({*globals(), *_LATE})
