"""Options of the tools are read, or refused."""
import argparse

import pytest

from mmvideomamba.datasets.preparation.options import (add_check_options,
                                                       delimiter_option)


@pytest.mark.parametrize('text, delimiter', [(' ', ' '), (',', ','),
                                             ('tab', '\t'), ('\\t', '\t')])
def test_delimiter(text: str, delimiter: str) -> None:
    assert delimiter_option(text) == delimiter


@pytest.mark.parametrize('text', ['', ', ', 'a', '/', '.', '\n', '1'])
def test_no_delimiter(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        delimiter_option(text)


@pytest.mark.parametrize('text', ['0', '-1', 'x'])
def test_counts_are_above_0(text: str) -> None:
    parser = argparse.ArgumentParser()
    add_check_options(parser)
    assert parser.parse_args(['--workers', '3']).workers == 3
    with pytest.raises(SystemExit):
        parser.parse_args(['--workers', text])
