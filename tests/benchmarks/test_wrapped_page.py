"""Pages of results keep words and markup, in lines of 100 columns."""
from types import ModuleType
from typing import Callable

import pytest

Bench = Callable[[str], ModuleType]


def test_paragraphs_and_lists(bench: Bench) -> None:
    words = 'word ' * 30
    page = f'# Title\n\n{words}\n\n- {words}\n  end\n  1. {words}\n> {words}'
    found = bench('wrapped_page').wrapped(page).split('\n')
    assert found[:2] == ['# Title', '']
    assert max(map(len, found)) <= 100
    assert found[2] == ' '.join(['word'] * 20)
    assert found[5].startswith('- word') and found[6].startswith('  word')
    assert found[6].endswith('end')
    assert found[7].startswith('  1. word')
    assert found[8].startswith('     word')
    assert found[9].startswith('> word') and found[10].startswith('> word')
    assert ' '.join(found).replace('> ',
                                   '').split() == page.replace('> ',
                                                               '').split()


@pytest.mark.parametrize('block', [
    f'| {"cell " * 30}|\n|---|', f'```bash\n{"word " * 30}\n\n- x\n```',
    f'    python {"word " * 30}', f'<img alt="{"word " * 30}">',
    f'- item\n\n  ```bash\n  {"word " * 30}\n  ```', 'line  \nbreak'
])
def test_other_blocks_stay(bench: Bench, block: str) -> None:
    page = f'# Title\n\n{block}\n\nend\n'
    assert bench('wrapped_page').wrapped(page) == page


@pytest.mark.parametrize('unit', ['`a span of code`', '](a/link to)'])
def test_units_stay_whole(bench: Bench, unit: str) -> None:
    for length in range(60, 100):
        page = bench('wrapped_page').wrapped(f'{"x" * length} [y{unit} end')
        assert unit in page
        assert ('\n' in page) == (length + len(unit) + 7 > 100)


@pytest.mark.parametrize('mark', ['-', '+', '*', '#', '>', '1.', '=', '- #'])
def test_no_word_becomes_markup(bench: Bench, mark: str) -> None:
    wrapped = bench('wrapped_page').wrapped
    for length in range(80, 100):
        page = wrapped(f'{"x" * length} y {mark} end')
        assert not any(line.startswith(mark[0]) for line in page.split('\n'))
        assert wrapped(page) == page
