"""Options of several commands."""
import argparse

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
        launcher='none',
        local_rank=0)


@pytest.mark.parametrize('option', ['--local_rank', '--local-rank'])
def test_rank_in_either_spelling(parser: argparse.ArgumentParser,
                                 option: str) -> None:
    assert parser.parse_args(['c.py', option, '3']).local_rank == 3


@pytest.mark.parametrize('text', ['noequals', 'a=[1,(2]', ''])
def test_text_that_is_no_pair(parser: argparse.ArgumentParser,
                              capsys: pytest.CaptureFixture,
                              text: str) -> None:
    with pytest.raises(SystemExit):
        parser.parse_args(['c.py', '--cfg-options', text])
    assert 'expected KEY=VALUE pairs' in capsys.readouterr().err
