"""Make installed packages look absent."""
import importlib.abc
import sys
from importlib.machinery import ModuleSpec
from typing import Any, Optional, Sequence, Tuple

import pytest


class HidingFinder(importlib.abc.MetaPathFinder):
    """Find modules by another finder, except for some packages.

    Args:
        finder (Any): A finder of ``sys.meta_path``.
        packages (tuple[str]): Names of the packages.
    """

    def __init__(self, finder: Any, packages: Tuple[str, ...]) -> None:
        self.finder, self.packages = finder, packages

    def find_spec(self,
                  fullname: str,
                  path: Optional[Sequence[str]] = None,
                  target: Any = None) -> Optional[ModuleSpec]:
        """Return None for a package and the modules inside."""
        if fullname.partition('.')[0] in self.packages:
            return None
        return self.finder.find_spec(fullname, path, target)


def make_absent(monkeypatch: pytest.MonkeyPatch, *packages: str) -> None:
    """Hide packages from imports until the end of a test.

    Args:
        monkeypatch (pytest.MonkeyPatch): Of the test.
        *packages (str): Names of the packages.
    """
    for name in list(sys.modules):
        if name.partition('.')[0] in packages:
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, 'meta_path',
                        [HidingFinder(f, packages) for f in sys.meta_path])
