"""Import transformers for mmengine's Adafactor when Adafactor is built."""
import importlib
import sys
from contextlib import contextmanager
from typing import Any, Iterator, Sequence

from .import_hooks import other_imports
from .late_rows import LateRows
from .workaround import Workaround, installed_version, package_dir

_PACKAGE = 'transformers'


def _cause() -> str:
    # An imported transformers costs no further time.
    if _PACKAGE in sys.modules or package_dir(_PACKAGE) is None:
        return ''
    return (f'mmengine {installed_version("mmengine")} imports {_PACKAGE}, '
            'seconds long, to register an optimizer')


def _refuse(name: str, taken: Sequence[str]) -> None:
    if name == _PACKAGE:
        # The host takes an ImportError for an absent package.
        raise ImportError(f'{name} is imported at its first use')


def _load() -> None:
    optimizers = importlib.import_module('mmengine.registry').OPTIMIZERS
    adafactor = importlib.import_module(_PACKAGE).Adafactor
    optimizers._module_dict['Adafactor'] = adafactor


@contextmanager
def _surround(module: Any) -> Iterator[None]:
    """Register ``Adafactor`` as a late row."""
    with other_imports(module, _refuse):
        yield
    names = getattr(module, 'TRANSFORMERS_OPTIMIZERS', None)
    # An empty list tells that the import was refused. An older row keeps the
    # name, as in mmengine.
    if names == [] and 'Adafactor' not in module.OPTIMIZERS.module_dict:
        LateRows.of(module.OPTIMIZERS).add_late('Adafactor', _load)
        names.append('Adafactor')


WORKAROUND = Workaround(
    name='adafactor',
    cause=_cause,
    link='https://github.com/open-mmlab/mmengine/blob/v0.10.7/mmengine/optim/'
    'optimizer/builder.py',
    until='a release of mmengine that imports transformers on demand',
    around=('mmengine.optim.optimizer.builder', ),
    surround=_surround)
