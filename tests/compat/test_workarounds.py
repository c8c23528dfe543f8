"""Every workaround is decided once and documented; the import stays cheap."""
import configparser
import re
from typing import Dict, List, Set

import mmengine.dist.utils
import pytest
from packaging.requirements import Requirement

from mmvideomamba import compat
from .fresh_python import ROOT, run_python


def test_import_stays_cheap() -> None:
    """The import loads neither hosts nor their dependencies."""
    done = run_python(
        'import sys, mmvideomamba\n'
        'print([m for m in ("torch", "numpy", "mmengine", "mmcv", "mmaction",'
        ' "mmpretrain", "cv2") if m in sys.modules])')
    assert done.stdout.strip() == '[]', done.stdout + done.stderr


@pytest.mark.parametrize('first, second', [
    ('mmvideomamba', 'torch, mmengine'),
    ('torch', 'mmvideomamba, mmengine'),
    ('mmengine', 'mmvideomamba, torch'),
])
def test_any_order_of_imports(first: str, second: str) -> None:
    """Healed with the import, whichever is imported first."""
    done = run_python(
        f'import {first}, {second}\n'
        'from mmengine.config import Config\n'
        'from mmvideomamba.compat import WORKAROUNDS\n'
        'print(Config._get_cfg_path.__globals__["__name__"])\n'
        'print(*[w.state for w in WORKAROUNDS if w.name == "checkpoint"])\n'
        'print(any("HistoryBuffer" in str(known) for known in'
        ' torch.serialization.get_safe_globals()))')
    assert done.stdout.split() == [
        'mmvideomamba.compat.config_scope', 'applied', 'True'
    ], done.stdout + done.stderr


def test_every_workaround_is_decided_once() -> None:
    """Another ``apply`` changes nothing."""
    before = [(w.name, w.decide()) for w in compat.WORKAROUNDS]
    assert {state for _, state in before} <= {'applied', 'not needed'}
    init = mmengine.dist.utils._init_dist_pytorch
    compat.apply()
    assert [(w.name, w.state) for w in compat.WORKAROUNDS] == before
    assert mmengine.dist.utils._init_dist_pytorch is init


PAGE = ROOT / 'docs' / 'compatibility.md'


def test_workarounds_are_documented() -> None:
    """Users find each workaround with its link in the docs, and no other."""
    text = PAGE.read_text()
    table = text.split('## The workarounds')[1].split('\n## ')[0]
    names = re.findall(r'^\| `(\w+)` \|', table, re.MULTILINE)
    assert sorted(names) == sorted(w.name for w in compat.WORKAROUNDS)
    for workaround in compat.WORKAROUNDS:
        assert f'`{workaround.name}`' in text
        assert workaround.link in text
        acts = [f for f in (workaround.cure, workaround.surround) if f]
        assert workaround.until and acts and all(f.__doc__ for f in acts)


def _bounded() -> Dict[str, Set[str]]:
    """Read the packages with a limited version in setup.cfg, tools apart."""
    config = configparser.ConfigParser()
    config.read(ROOT / 'setup.cfg')
    extras = dict(config['options.extras_require'], dev='')
    lines: List[str] = [
        line
        for text in (config['options']['install_requires'], *extras.values())
        for line in text.splitlines()
    ]
    found = {'Python': {config['options']['python_requires']}}
    for line in lines:
        if line and not line.startswith('#'):
            needed = Requirement(line)
            if needed.specifier:
                found.setdefault(needed.name, set()).add(str(needed.specifier))
    return found


def test_ranges_are_those_of_setup() -> None:
    """The table of tested versions holds the limits of setup.cfg."""
    table = PAGE.read_text().split('## Tested versions')[1].split('\n## ')[0]
    rows = [
        line.split('|')[1:4] for line in table.splitlines()
        if line.startswith('| ')
    ][1:]
    bounded = _bounded()
    limits = re.compile(r'(?:[<>]=?|==)\s*([\d.]+)')
    for name, ranges in bounded.items():
        row = next(row for row in rows if re.search(rf'\b{name}\b', row[0]))
        expected = limits.findall(','.join(ranges))
        assert sorted(limits.findall(row[1])) == sorted(expected), name
    assert len(bounded) > 10
