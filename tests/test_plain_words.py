"""Pointing words are counted in docstrings and comments alone."""
from pathlib import Path

import pytest
from plain_words import main, prose_of

NAMED = '"""Return the sum of all rows of a table of numbers.\n\nArgs:\n"""\n'


def test_prose_of_a_file() -> None:
    source = ('"""First."""\nx = "it"  # it and those\n\n\ndef f():\n'
              '    """Second.\n\n    Returns:\n        int: One.\n    """\n')
    assert sorted(prose_of(source)) == [(1, 'First.'), (2, ' it and those'),
                                        (6, 'Second.'), (7, ''),
                                        (9, '        int: One.'), (10, '    ')]


@pytest.mark.parametrize('folder, pointing, code', [('a', 2, 0), ('a', 3, 1),
                                                    ('tests', 3, 0),
                                                    ('tests', 4, 1)])
def test_limits(folder: str, pointing: int, code: int, tmp_path: Path,
                monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    """The inner folder alone is above the limit."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / folder / 'inner').mkdir(parents=True)
    (tmp_path / folder / 'outer.py').write_text(NAMED * 40)
    lines = ['# word ' * 10] * 10
    lines[0] = '# ' + 'it ' * pointing + 'word ' * (10 - pointing)
    (tmp_path / folder / 'inner/low.py').write_text('\n'.join(lines))
    assert main([folder]) == code
    out, err = capsys.readouterr()
    assert out.startswith(f'{folder}: ') and 'per 100' in out
    assert bool(err) == bool(code)
    if code:
        assert f'{folder}/inner has {pointing}.0' in err
        assert f'{folder}/inner/low.py:1: it it' in err
