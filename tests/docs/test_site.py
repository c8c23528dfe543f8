"""The site has an entry for every public name."""
import ast
import re
from pathlib import Path
from typing import Iterator, Set

from script import ROOT

API = ''.join(page.read_text() for page in (ROOT / 'docs/api').glob('*.rst'))
# Packages repeating names of subpackages.
REPEATED = {'mmvideomamba.models'}


def packages_with_names() -> Iterator[str]:
    """Yield the packages with a list of public names."""
    for file in sorted((ROOT / 'mmvideomamba').rglob('__init__.py')):
        names: Set[str] = set()
        for node in ast.parse(file.read_text()).body:
            if isinstance(node, ast.Assign):
                names |= {getattr(target, 'id', '') for target in node.targets}
        if '__all__' in names:
            yield '.'.join(file.parent.relative_to(ROOT).parts)


def test_every_package_has_an_entry() -> None:
    found = set(re.findall(r'^\.\. automodule:: (\S+)', API, re.M))
    packages = set(packages_with_names())
    assert len(packages) > 30
    assert packages - found == REPEATED


def test_modules_exist() -> None:
    for name in re.findall(r'^\.\. automodule:: (\S+)', API, re.M):
        path = ROOT.joinpath(*name.split('.'))
        assert path.with_suffix('.py').exists() or Path(
            path, '__init__.py').exists(), name
