"""Explain a missing ``pkg_resources``, removed by setuptools 82."""
import importlib.abc
import importlib.util
from typing import Any

from .workaround import Workaround, installed_version


class _NoPkgResources(importlib.abc.MetaPathFinder):
    """Stand last in ``sys.meta_path`` and explain a missing pkg_resources."""

    def find_spec(self,
                  fullname: str,
                  path: Any = None,
                  target: Any = None) -> None:
        """Raise for pkg_resources, know nothing of any other module."""
        if fullname == 'pkg_resources':
            raise ModuleNotFoundError(
                'No module named \'pkg_resources\': mmengine and openmim need '
                'it, and setuptools 82 removed it. Run: pip install '
                '"setuptools>=77.0.3,<82"',
                name=fullname)


def _cause() -> str:
    if importlib.util.find_spec('pkg_resources') is None:
        version = installed_version('setuptools')
        return f'setuptools {version}' if version else 'no setuptools'
    return ''


def _cure(module: Any) -> None:
    """Name the package to install where an import of pkg_resources fails.

    mmengine imports pkg_resources for every `mmaction::` base config, openmim
    in every command.
    """
    module.meta_path.append(_NoPkgResources())


WORKAROUND = Workaround(
    name='pkg_resources',
    cause=_cause,
    link='https://github.com/pypa/setuptools/issues/3085',
    until='releases of mmengine and openmim that do without pkg_resources',
    modules=('sys', ),
    cure=_cure)
