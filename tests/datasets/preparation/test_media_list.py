"""Lists of all forms are read; each faulty line is named."""
import json
from pathlib import Path
from typing import Any, List

import pytest

from mmvideomamba.datasets.preparation.media_list import (MediaList, describe,
                                                          find_lists,
                                                          list_folders,
                                                          read_list,
                                                          write_list)


def kinds(media: MediaList) -> List[tuple]:
    return [(fault.line, fault.kind) for fault in media.faults]


def test_text_list(tmp_path: Path) -> None:
    path = tmp_path / 'train.csv'
    path.write_bytes('\ufeffa.mp4,0\r\n\r\nb c.mp4, 1\r\nd 2\r\ne\r\n'
                     'f.mp4,2\r\n'.encode())
    found = read_list(path, tmp_path / 'v')
    assert kinds(found) == [(1, 'byte-order-mark'), (2, 'blank-line'),
                            (3, 'separator'), (4, 'separator'),
                            (5, 'no-label')]
    assert [e.path for e in found.entries] == ['a.mp4', 'b c.mp4', 'd',
                                               'f.mp4']  # yapf: disable
    # As the opening transform does.
    assert found.entries[2].file == str(tmp_path / 'v' / 'd.mp4')
    assert found.repaired == {3, 4} and found.unreadable() == {5}
    assert write_list(found, {1}, tmp_path / 'new' / 'train.csv') == 3
    assert (tmp_path /
            'new/train.csv').read_text() == ('b c.mp4,1\nd,2\nf.mp4,2\n')
    assert 'form class, columns apart by a comma' in describe(found)


@pytest.mark.parametrize('ending', ['.json', '.jsonl'])
def test_caption_lists(tmp_path: Path, ending: str) -> None:
    entries: List[Any] = [
        dict(video='a.mp4', caption='x'),
        dict(video=['b.mp4', 'c.mp4'], caption=['x', 'y']),
        dict(image='d.jpg', caption='x'),
        dict(video='e.mp4', question='why', answer='so'),
        dict(caption='x'),
        dict(video='f.mp4'), 'text'
    ]
    path = tmp_path / f'train{ending}'
    if ending == '.json':
        path.write_text(json.dumps(entries))
    else:
        lines = [json.dumps(entry) for entry in entries]
        path.write_text('\n'.join([*lines, '{"video": ']))
    found = read_list(path)
    assert [Path(e.file).name for e in found.entries
            ] == ['a.mp4', 'b.mp4', 'c.mp4', 'd.jpg', 'e.mp4']
    assert found.entries[3].media == 'image'
    bad = [kind for _, kind in kinds(found)]
    assert bad == ['entry'] * (3 if ending == '.json' else 4)
    first = found.entries[0].line
    assert write_list(found, {first}, tmp_path / f'new{ending}') == 3
    again = read_list(tmp_path / f'new{ending}')
    assert [e.path
            for e in again.entries] == ['b.mp4', 'c.mp4', 'd.jpg', 'e.mp4']


@pytest.mark.parametrize('content', [b'', b'\xef\xbb\xbf\r\n \n'])
@pytest.mark.parametrize('name', ['a.txt', 'a.json', 'a.jsonl'])
def test_empty_list(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    assert kinds(read_list(path)) == [(-1, 'empty-list')]


def test_list_without_labels(tmp_path: Path) -> None:
    path = tmp_path / 'test.txt'
    path.write_text('a.mp4\nb.mp4\n')
    assert kinds(read_list(path)) == [(-1, 'no-label')]
    assert not read_list(path, form='unlabelled').faults
    assert len(kinds(read_list(path, form='class'))) == 2


def test_wrong_delimiter(tmp_path: Path) -> None:
    path = tmp_path / 'a.txt'
    path.write_text('a.mp4 0\nb.mp4 1\n')
    with pytest.raises(ValueError, match="holds ','; .* by a space instead"):
        read_list(path, delimiter=',')


@pytest.mark.parametrize('name, content, text', [
    ('a.tar', b'x', 'must end in'),
    ('a.json', b'{}', 'must hold a list'),
    ('a.json', b'[', 'not JSON'),
    ('a.txt', b'caf\xe9.mp4 0', 'not UTF-8'),
])
def test_unusable_list(tmp_path: Path, name: str, content: bytes,
                       text: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=text):
        read_list(tmp_path / name)


def test_root_is_found(tmp_path: Path) -> None:
    (tmp_path / 'videos').mkdir()
    (tmp_path / 'videos' / 'a.mp4').touch()
    (tmp_path / 'task').mkdir()
    for path in (tmp_path / 'train.txt', tmp_path / 'task' / 'train.txt'):
        path.write_text('a.mp4 0\nhttp://x/b.mp4 1\n')
        found = read_list(path)
        assert found.entries[0].file == str(tmp_path / 'videos' / 'a.mp4')
        assert found.entries[1].file == 'http://x/b.mp4'


@pytest.mark.parametrize('name, split', [
    ('train', ('train', '')),
    ('ucf101_val_split_1_videos', ('val', 'ucf101__split_1_videos')),
    ('msrvtt_ret_test1k', ('test', 'msrvtt_ret_')),
    ('pretraining', (None, 'pretraining')),
])
def test_split_of_a_name(name: str, split: tuple) -> None:
    assert MediaList(f'a/{name}.txt').split() == split


def test_folders(tmp_path: Path) -> None:
    for name in ('train/run/a.mp4', 'train/walk/b.mp4', 'val/walk/c.mp4',
                 'val/walk/c.txt'):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    train, val = list_folders(tmp_path)
    assert [e.labels for e in train.entries] == [[0], [1]]
    assert [e.labels for e in val.entries] == [[1]]
    assert [(f.kind, f.path)
            for f in val.faults] == [('left-out', 'walk/c.txt')]
    assert not find_lists(tmp_path)
    (tmp_path / 'val.txt').touch()
    (tmp_path / 'classes.txt').touch()
    assert find_lists(tmp_path) == [tmp_path / 'val.txt']
