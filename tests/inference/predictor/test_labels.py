"""Labels are read and matched, and nothing is guessed."""
from pathlib import Path

import pytest

from mmvideomamba.inference.predictor.labels import match_labels, read_labels

NAMES = ['run', 'long run', 'sit']


def test_lines(tmp_path: Path) -> None:
    path = tmp_path / 'labels.txt'
    path.write_text('\ufeffa b.mp4 2\nb.mp4,1\nc\t0\n\nd long run\ne,sit\n')
    found = read_labels(str(path), 3, NAMES)
    assert found == {'a b.mp4': 2, 'b.mp4': 1, 'c': 0, 'd': 1, 'e': 2}
    assert read_labels(str(path), 3, NAMES) == found


def test_bad_lines(tmp_path: Path) -> None:
    path = tmp_path / 'labels.txt'
    path.write_text('a 3\nb jump\nc 1\nc 2\nd\n')
    with pytest.raises(ValueError, match='4 lines of the labels') as caught:
        read_labels(str(path), 3, NAMES)
    for text in ('line 1', 'classes 0 to 2', 'line 2', 'neither a number',
                 'has the label 1 before', 'line 5'):
        assert text in str(caught.value)
    path.write_text('')
    with pytest.raises(ValueError, match='holds no label'):
        read_labels(str(path), 3, None)
    path.write_text('a 1\n')
    with pytest.raises(ValueError, match='number of another'):
        read_labels(str(path), 3, ['1', '0', '2'])
    assert read_labels(str(path), 3, ['0', '1', '2']) == {'a': 1}


def test_match() -> None:
    labels = {'in/a.mp4': 0, 'b': 1, '/full/c.mp4': 2, 'x.mp4': 0, 'gone': 1}
    inputs = [
        'v/in/a.mp4', 'v/other/a.mp4', './v/b.mp4', '/full/c.mp4', 'p/x.mp4',
        'q/x.mp4'
    ]
    found = match_labels(labels, inputs)
    assert found.labels == {'v/in/a.mp4': 0, './v/b.mp4': 1, '/full/c.mp4': 2}
    assert found.without == ['v/other/a.mp4']
    assert found.unused == ['gone'] and found.doubtful == ['x.mp4']
    text = found.fault('l.txt')
    assert 'v/other/a.mp4' in text and 'gone' in text and 'x.mp4' in text
    assert match_labels(dict(a=1), ['a.mp4']).fault('l.txt') == ''
