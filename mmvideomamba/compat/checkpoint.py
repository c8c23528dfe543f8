"""Read mmengine's checkpoints with ``weights_only=True`` of torch."""
import importlib
from typing import Any

from .workaround import Workaround


def _types() -> Any:
    """Return the module with the types, which loads torch and numpy."""
    return importlib.import_module('mmvideomamba.compat.checkpoint_types')


def _cause() -> str:
    return _types().refusal()


def _cure(module: Any) -> None:
    """Allow the types of an mmengine checkpoint, and nothing to run code.

    ``weights_only`` stays True.
    """
    _types().allow()


WORKAROUND = Workaround(
    name='checkpoint',
    cause=_cause,
    link='https://github.com/open-mmlab/mmengine/issues/1655',
    until='a release of mmengine whose checkpoints torch reads by default',
    modules=('torch', ),
    cure=_cure)
