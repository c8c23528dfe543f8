"""Installed versions next to the declared ranges."""
import platform
from typing import List, Tuple

import cv2
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from mmvideomamba.extras import declared
from .. import compat
from .finding import FAIL, NOTE, OK, Finding


def _declared() -> Tuple[str, List[Tuple[str, str]]]:
    """Return the Python range and (extra or '', requirement) of the package.

    Extras for developers are left out. Markers of a machine are left out of
    account: mmaction2 is needed on each machine, though pip installs it on
    some only.
    """
    python, rows = declared()
    return python, [row for row in rows if row[0] != 'dev']


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
            # mmaction2 requires decord, and decord has no wheel for ARM and
            # Apple.
            why += f': pip install --no-deps {name}{tested}'
        return Finding(NOTE if extra else FAIL, name, f'{why}, {tested}')
    # A nightly build of torch is a pre-release.
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
        # Several distributions bring the module cv2.
        Finding(OK, 'opencv', cv2.__version__),
    ]
    for name in ('triton', 'pytorchvideo', 'imgaug'):
        if compat.installed_version(name):
            found.append(Finding(OK, name, compat.installed_version(name)))
    return found
