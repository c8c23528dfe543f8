"""Lists are read, videos found, annotation files written."""
from pathlib import Path

import pytest

from mmvideomamba.datasets.preparation import (Listing, index_videos,
                                               number_names, read_table)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ('a.mp4', 'deep/b.MKV', 'deep/notes.txt'):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    return tmp_path


def test_index_videos(folder: Path) -> None:
    assert index_videos(folder) == dict(a='a.mp4', b='deep/b.MKV')
    (folder / 'deep' / 'a.avi').touch()
    with pytest.raises(ValueError, match='a.mp4 and deep/a.avi .*same name'):
        index_videos(folder)
    (folder / 'empty').mkdir()
    with pytest.raises(ValueError, match='holds no video'):
        index_videos(folder / 'empty')
    with pytest.raises(FileNotFoundError, match='put the videos there'):
        index_videos(folder / 'gone')


def test_listing(folder: Path) -> None:
    listing = Listing(index_videos(folder), separator=' ')
    listing.add('b', 3, 0.5)
    listing.add('lost', 1)
    path = folder / 'lists' / 'train.csv'
    assert listing.write(path) == (
        f'{path}: 1 videos, 1 without a video left out (lost, ...)')
    assert path.read_text() == 'deep/b.MKV 3 0.5\n'
    none = Listing({})
    none.add('lost', 1)
    with pytest.raises(ValueError, match='none of the 1 entries .* lost'):
        none.write(path)
    with pytest.raises(ValueError, match='train.csv would be empty'):
        Listing({}).write(path)


def test_read_table(tmp_path: Path) -> None:
    path = tmp_path / 'a.csv'
    path.write_text('\ufefflabel,id\nrun,1\n', encoding='utf-8')
    assert read_table(path, ['label']) == [dict(label='run', id='1')]
    with pytest.raises(ValueError, match='a.csv has no column time; .*label'):
        read_table(path, ['id', 'time'])


@pytest.mark.parametrize('content, match', [
    (b'id,text\n1,"a dog\n2,b\n', 'below line 1: .*close each quotation mark'),
    (b'id,text\n1,"a dog\n2,"b"\n', 'below line 1: .*quotation mark'),
    (b'id,text\n1,"a dog\n2,b"\n', 'line 3, ends a value of several lines'),
    (b'id,text\n1,a\n2,a dog, wet\n',
     r"line 3, .* more values .*\[' wet'\].*comma between quotation marks"),
    (b'id,text\n1,d\xf6g\n', 'a.csv is not UTF-8 text'),
])
def test_lines_that_would_lose_text(tmp_path: Path, content: bytes,
                                    match: str) -> None:
    path = tmp_path / 'a.csv'
    path.write_bytes(content)
    with pytest.raises(ValueError, match=match):
        read_table(path, ['id', 'text'])


def test_empty_values_at_the_end_of_lines(tmp_path: Path) -> None:
    path = tmp_path / 'a.csv'
    path.write_text('id,text\n1,"a ""b"", c",,\n')
    assert read_table(path, ['id', 'text'])[0]['text'] == 'a "b", c'


def test_number_names() -> None:
    assert number_names(['run', 'eat', 'run']) == dict(eat=0, run=1)
