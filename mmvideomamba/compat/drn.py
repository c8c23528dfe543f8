"""Import mmaction2's models although the wheel lacks a folder."""
import functools
import importlib
import sys
from typing import Any

from .import_hooks import stand_in
from .workaround import Workaround, installed_version, package_dir

_DRN = 'mmaction.models.localizers.drn.drn'


def _cause() -> str:
    folder = package_dir('mmaction')
    if folder is None or _DRN in sys.modules:
        return ''
    if (folder / 'models/localizers/drn').is_dir():
        return ''
    return f'mmaction2 {installed_version("mmaction2")} lacks {_DRN}'


def _cure(module: Any) -> None:
    """Put a placeholder in the place of the missing folder.

    Building the absent model raises.
    """

    # A config with DRN fails at the build, by this line; the import of all
    # other models goes on.
    def build_drn(*args: Any, **kwargs: Any) -> None:
        raise ImportError(
            'DRN is not part of the mmaction2 wheel on this machine; install '
            'mmaction2 from its repository to use it')

    # A registry refuses a name a second time.
    @functools.lru_cache(maxsize=None)
    def attribute(name: str) -> Any:
        if name != 'DRN':
            raise AttributeError(name)
        registry = importlib.import_module('mmaction.registry')
        registry.MODELS.register_module(name='DRN', module=build_drn)
        return build_drn

    stand_in(_DRN, attribute)


WORKAROUND = Workaround(
    name='drn',
    cause=_cause,
    link='https://github.com/open-mmlab/mmaction2/issues/2714',
    until='a release of mmaction2 after 1.2.0',
    modules=('mmaction', ),
    cure=_cure)
