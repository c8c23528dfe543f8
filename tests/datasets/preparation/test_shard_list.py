"""Lists of videos for shards are checked, and names kept apart."""
from pathlib import Path

import pytest

from mmvideomamba.datasets.preparation.shard_list import place_name, read_list


@pytest.mark.parametrize('name, expected', [
    ('a.mp4', ('a', '.mp4')),
    ('./run/a.b.MP4', ('run/a%2Eb', '.mp4')),
    ('v.1/.hid/a.avi', ('v.1/%2Ehid/a', '.avi')),
    ('../.a.mp4', ('%2E./%2Ea', '.mp4')),
    ('/data/100%2E é.webm', ('data/100%252E é', '.webm')),
])
def test_names(name: str, expected: tuple) -> None:
    assert place_name(name) == expected


def test_list_is_read(tmp_path: Path) -> None:
    (tmp_path / 'my a.mp4').write_bytes(b'123')
    (tmp_path / 'b.mp4').touch()
    (tmp_path / 'l.csv').write_text('\ufeffmy a.mp4,1,2\n\nb,0.5\n')
    first, second = read_list(tmp_path / 'l.csv', tmp_path, ',')
    assert first[:4] == (tmp_path / 'my a.mp4', 'my a.mp4', ('1', '2'), 3)
    assert second[:4] == (tmp_path / 'b.mp4', 'b.mp4', ('0.5', ), 0)


@pytest.mark.parametrize('text, fault', [
    ('', 'is empty'),
    ('a.mp4 0\n./a 1\n', 'line 2: ./a.mp4 is in line 1 already'),
    ('a.mp4 cat\n', "line 1: 'a.mp4 cat' has a label that is not a number"),
    ('a.txt 1\n', "a.txt has the ending '.txt'"),
    ('a.mp4 0\nno.mp4 1\n', '(?s)1 of 2 videos do not.*line 2: .*no.mp4'),
    ('a.mp4,0\n', 'a.mp4,0.*do not exist|do not exist(?s:.)*a.mp4,0'),
    ('f.mp4 0\n', 'f.mp4 is not a regular file'),
])
def test_faulty_list(tmp_path: Path, text: str, fault: str) -> None:
    (tmp_path / 'a.mp4').touch()
    (tmp_path / 'f.mp4').mkdir()
    (tmp_path / 'l.txt').write_text(text)
    with pytest.raises((ValueError, FileNotFoundError), match=fault):
        read_list(tmp_path / 'l.txt', tmp_path, ' ')


def test_list_in_another_code(tmp_path: Path) -> None:
    (tmp_path / 'l.txt').write_bytes(b'\xff')
    with pytest.raises(ValueError, match='l.txt is not UTF-8 text'):
        read_list(tmp_path / 'l.txt', tmp_path, ' ')


def test_missing_list(tmp_path: Path) -> None:
    with pytest.raises(
            FileNotFoundError, match='l.txt does not exist. Correct the path'):
        read_list(tmp_path / 'l.txt', tmp_path, ' ')
