"""Options of several commands."""
import argparse
from typing import Any

import pytest

from mmvideomamba.command_line import add_config_options, add_run_options


@pytest.fixture
def parser() -> argparse.ArgumentParser:
    """Make a parser with all common options."""
    parser = argparse.ArgumentParser()
    add_config_options(parser)
    add_run_options(parser)
    return parser


def test_defaults(parser: argparse.ArgumentParser) -> None:
    args = parser.parse_args(['c.py'])
    assert vars(args) == dict(
        config='c.py',
        cfg_options={},
        work_dir=None,
        data_root=None,
        launcher='none',
        local_rank=0)


@pytest.mark.parametrize('option', ['--local_rank', '--local-rank'])
def test_rank_in_either_spelling(parser: argparse.ArgumentParser,
                                 option: str) -> None:
    assert parser.parse_args(['c.py', option, '3']).local_rank == 3


@pytest.mark.parametrize('text, value', [
    ('a video of {}', 'a video of {}'),
    ('"my clips (1)/a.csv"', 'my clips (1)/a.csv'),
    ('["a {}", \'b {}\']', ['a {}', 'b {}']),
    ('[( 1, x y ), [2 ,3 ] ]', [(1, 'x y'), [2, 3]]),
    (' 1e-4', 1e-4),
])
def test_spaces_within_a_text_stay(parser: argparse.ArgumentParser, text: str,
                                   value: Any) -> None:
    args = parser.parse_args(['config', '--cfg-options', f'key={text}'])
    assert args.cfg_options == dict(key=value)


@pytest.mark.parametrize('text', ['noequals', 'a=[1,(2]', ''])
def test_text_that_is_no_pair(parser: argparse.ArgumentParser,
                              capsys: pytest.CaptureFixture,
                              text: str) -> None:
    with pytest.raises(SystemExit):
        parser.parse_args(['c.py', '--cfg-options', text])
    assert 'expected KEY=VALUE pairs' in capsys.readouterr().err
