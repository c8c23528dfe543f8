"""Delimiter and form of a list are found, or refused if not clear."""
from typing import List

import pytest

from mmvideomamba.datasets.preparation import list_lines


@pytest.mark.parametrize('lines, delimiter', [
    (['a.mp4 0', 'b.mp4 1'], ' '),
    (['a.mp4,0', 'my video.mp4,1', 'c.mp4 2'], ','),
    (['a.mp4, 0', 'b.mp4, 1'], ','),
    (['a b, c.mp4\t0'], '\t'),
    (['a.mp4;0'], ';'),
    (['a.mp4  0'], ' '),
    (['a.mp4', 'b.mp4'], ' '),
    (['my a.mp4', 'b.mp4'], ','),
    (['a.mp4,1,90.5'], ','),
])
def test_delimiter(lines: List[str], delimiter: str) -> None:
    assert list_lines.guess_delimiter(lines, 'x.txt') == delimiter


@pytest.mark.parametrize('lines, text', [
    (['a.mp4 0', 'b.mp4,0', 'c.mp4,1', 'd.mp4 1'], 'in 2 of 4 lines'),
    (['a b,c\td;e'], 'no line of a path and numbers'),
])
def test_unclear_delimiter(lines: List[str], text: str) -> None:
    with pytest.raises(ValueError, match=f'x.txt.*{text}'):
        list_lines.guess_delimiter(lines, 'x.txt')


@pytest.mark.parametrize('text, form', [
    ('a 0;b 1', 'class'),
    ('a 0;my b 1', 'class'),
    ('a 0.5;b 1', 'number'),
    ('a;b', 'unlabelled'),
    ('a 0 1;b 2;c 0 1 2', 'multi-class'),
    ('a 1 90.5;b 2 60', 'window'),
    ('a 0.5 90;b 1.5 60', 'number-window'),
])
def test_form(text: str, form: str) -> None:
    lines = [list_lines.cut_line(line, ' ') for line in text.split(';')]
    assert list_lines.guess_form(lines, 'x.txt') == form


def test_unclear_form() -> None:
    with pytest.raises(ValueError, match='x.txt .*--form window or'):
        list_lines.guess_form([list_lines.cut_line('a 1 60', ' ')], 'x.txt')


@pytest.mark.parametrize('line, fault', [
    ('a.mp4 0', ''),
    ('a.mp4  0', 'more than a space'),
    ('a.mp4, 0', 'white space next to'),
    ('a.mp4,,0', 'more than a comma'),
    ('my a.mp4,0', ''),
])
def test_surplus_separators(line: str, fault: str) -> None:
    found = list_lines.cut_line(line, ',' if ',' in line else ' ')
    assert found.path.endswith('a.mp4') and found.columns == ('0', )
    assert bool(found.fault) == bool(fault) and fault in found.fault


def test_line_with_another_delimiter() -> None:
    found = list_lines.other_delimiter('a.mp4,3', ' ')
    assert found is not None and found.columns == ('3', )
    assert 'a comma instead of a space' in found.fault
    assert list_lines.other_delimiter('a.mp4', ' ') is None


@pytest.mark.parametrize('text, form, kind', [
    ('a 1', 'class', ''),
    ('a', 'class', 'no-label'),
    ('a x', 'class', 'label'),
    ('a 1.5', 'class', 'label'),
    ('a nan', 'number', 'label'),
    ('a b.mp4 1', 'class', 'separator'),
    ('a 1 2 3', 'multi-class', ''),
    ('a 1 x', 'window', 'label'),
])
def test_faults_of_labels(text: str, form: str, kind: str) -> None:
    assert list_lines.label_fault(list_lines.cut_line(text, ' '),
                                  form)[0] == kind


def test_duration_is_no_label() -> None:
    line = list_lines.cut_line('a 1 60', ' ')
    assert list_lines.read_labels(line, 'window') == [1]
    assert list_lines.read_labels(line, 'multi-class') == [1, 60]
    assert list_lines.read_labels(list_lines.cut_line('a', ' '),
                                  'unlabelled') == []
