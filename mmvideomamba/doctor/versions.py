"""Installed versions, beside the declared ranges."""
import configparser
import importlib.metadata
import platform
from pathlib import Path
from typing import List, Tuple

import cv2
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from .. import compat
from .finding import FAIL, NOTE, OK, Finding

_EXTRAS = ('quickstart', 'demo', 'decord', 'torchcodec', 'multimodal',
           'export', 'cuda')
_PACKAGE = 'mmvideomamba'


def _declared() -> Tuple[str, List[Tuple[str, str]]]:
    """Return the Python range and (extra or '', requirement) of the package.

    The source is the metadata of an installed package, or setup.cfg of a
    checkout on the path.
    """
    try:
        meta = importlib.metadata.metadata(_PACKAGE)
    except importlib.metadata.PackageNotFoundError:
        return _declared_in_checkout()
    rows = []
    for text in meta.get_all('Requires-Dist') or []:
        marker = Requirement(text).marker
        # A marker of a machine is left out of account: mmaction2 is needed
        # on each machine, though pip installs it on some only.
        extras = [''] if marker is None or 'extra' not in str(marker) else [
            extra for extra in _EXTRAS if marker.evaluate(dict(extra=extra))
        ]
        rows += [(extra, text) for extra in extras]
    return meta['Requires-Python'] or '', rows


def _declared_in_checkout() -> Tuple[str, List[Tuple[str, str]]]:
    parser = configparser.ConfigParser()
    parser.read(Path(__file__).parents[2] / 'setup.cfg')
    fields = {'': parser['options']['install_requires']}
    fields.update(
        (extra, parser['options.extras_require'][extra]) for extra in _EXTRAS)
    rows = [(extra, line) for extra, text in fields.items()
            for line in text.splitlines() if line]
    return parser['options']['python_requires'], rows


def _check_package(extra: str, text: str) -> Finding:
    """Compare an installed distribution with the declared range."""
    need = Requirement(text)
    name = need.name
    if name == 'mmcv-lite' and not compat.installed_version(name):
        name = 'mmcv'  # the compiled form of the same package
    version = compat.installed_version(name)
    tested = str(need.specifier) or 'any version'
    if not version:
        why = f'not installed (extra {extra})' if extra else 'not installed'
        if name == 'mmaction2':
            why += f': pip install --no-deps {name}{tested}'
        return Finding(NOTE if extra else FAIL, name, f'{why}, {tested}')
    if need.specifier.contains(version, prereleases=True):
        return Finding(OK, name, f'{version} ({tested})')
    return Finding(NOTE, name, f'{version} is outside the tested {tested}')


def check_versions() -> List[Finding]:
    """Compare installed versions with the ranges the package declares."""
    python, rows = _declared()
    here = platform.python_version()
    good = here in SpecifierSet(python)
    found = [
        Finding(OK if good else NOTE, 'python', f'{here} ({python})'),
        *(_check_package(extra, text) for extra, text in rows),
        Finding(OK, 'opencv', cv2.__version__),
    ]
    for name in ('triton', 'pytorchvideo', 'imgaug'):
        if compat.installed_version(name):
            found.append(Finding(OK, name, compat.installed_version(name)))
    return found
