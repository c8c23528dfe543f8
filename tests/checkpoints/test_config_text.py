"""Tests of configs in checkpoints, read as data."""
import math

import pytest
from host_tools import ROOT
from mmengine.config import Config

from mmvideomamba.checkpoints import read_config_text

RECIPES = ('quickstart/videomamba-micro_1xb8-u8-25e_quickstart-rgb.py',
           'classification/videomamba-tiny_8xb512-300e_in1k.py',
           'retrieval/videomamba-middle_umt-25m-pre_8xb64-u8-2e_msrvtt.py')


@pytest.mark.parametrize('name', RECIPES)
def test_our_recipes(name: str) -> None:
    """The text of a runner gives the very config."""
    cfg = Config.fromfile(ROOT / 'configs' / name)
    assert read_config_text(cfg.pretty_text, name) == cfg.to_dict()


def test_values() -> None:
    """All values of configs keep the type."""
    found = read_config_text(
        "a = (1, -2.5)\nb = dict({'x.y': None}, z=[True])\nc = {1, 2}\n"
        'd = -inf\ne = nan\nf = set()', 'run.pth')
    assert math.isnan(found.pop('e'))
    assert found == dict(
        a=(1, -2.5),
        b={
            'x.y': None,
            'z': [True]
        },
        c={1, 2},
        d=-math.inf,
        f=set())


@pytest.mark.parametrize('line', [
    'import os', "a = __import__('os')", 'a.b = 1', 'a = b = 1',
    "a = dict(**{'x': 1})", 'a = [x for x in (1, 2)]', 'a = open', 'a = (',
    "a = dict([('x', 1)])", "a = {**{'x': 1}}", 'print(1)', 'a = f"{1}"',
    'a = set([1])'
])
def test_code(line: str) -> None:
    """Code is refused by file and line, and never run."""
    with pytest.raises(ValueError, match='^run.pth: .*at line 2; give the'):
        read_config_text(f'x = 1\n{line}\n', 'run.pth')
