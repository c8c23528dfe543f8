"""Lists of copied sets."""
from pathlib import Path
from typing import List

import pytest
from list_files import write

from mmvideomamba.datasets.preparation.copied_lists import (check_lines,
                                                            list_paths,
                                                            write_lists)
from mmvideomamba.datasets.preparation.copied_set import name_copies
from mmvideomamba.datasets.preparation.list_inputs import read_inputs
from mmvideomamba.datasets.preparation.media_list import MediaList
from mmvideomamba.datasets.video import MediaError


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_lists_of_two_folders() -> None:
    for name in ('x/train', 'y/val'):
        write(f'{name}/a.mp4')
        write(f'{name}.txt', f'{Path(name).name}/a.mp4 3')
    lists = read_inputs([Path('x/train.txt'), Path('y/val.txt')])
    names = name_copies(lists)
    assert sorted(names.values()) == ['x/train/a.mp4', 'y/val/a.mp4']
    paths = list_paths(lists, Path('out'))
    write_lists(lists, paths, names, {}, Path('out'))
    assert Path('out/x/train.txt').read_text() == (
        '../videos/x/train/a.mp4 3\n')


@pytest.mark.parametrize('lines, expected', [
    (['a.avi 0', 'b.mp4 1'], ['videos/a.mp4 0', 'videos/b.mp4 1']),
    (['a.avi,0,3', 'b.mp4,1'], ['videos/a.mp4,0,3', 'videos/b.mp4,1']),
    (['a.avi 0.25 61.5', 'b 1.5 2.5'
      ], ['videos/a.mp4 0.25 61.5', 'videos/b.mp4 1.5 2.5']),
    (['a.avi\t-1.5', 'b.mp4\t2'], ['videos/a.mp4\t-1.5', 'videos/b.mp4\t2']),
])
def test_new_lines(lines: List[str], expected: List[str]) -> None:
    lists = read_inputs([write('data/train.txt', *lines)])
    write('data/classes.txt', 'run', 'walk')
    paths = list_paths(lists, Path('out'))
    told = write_lists(lists, paths, name_copies(lists), {}, Path('out'))
    assert Path('out/train.txt').read_text().splitlines() == expected
    assert Path('out/classes.txt').read_text() == 'run\nwalk\n'
    assert told == ['out/train.txt: 2 lines, 0 left out, paths below out']


def test_paths_that_begin_in_videos() -> None:
    write('data/videos/a.mp4')
    path = write('data/train.json', '[{"video": ["a.mp4", "b.avi"], '
                 '"caption": "x", "id": 3}]')
    lists = read_inputs([path])
    names = name_copies(lists)
    paths = list_paths(lists, Path('out'))
    write_lists(lists, paths, names, {}, Path('out'))
    text = ''.join(Path('out/train.json').read_text().split())
    assert text == '[{"video":["a.mp4","b.mp4"],"caption":"x","id":3}]'


@pytest.mark.parametrize('name, match', [
    ('report.json', 'name of another file'),
    ('copies.jsonl', 'name of another file'),
    ('videos/a.json', 'among the copies'),
    ('shards/a.json', 'among the copies'),
])
def test_names_in_use(name: str, match: str) -> None:
    other = write('train.json', '[{"video": "a.mp4", "caption": "x"}]')
    line = '{"video": "a.mp4", "caption": "x"}'
    path = write(name, line if name.endswith('l') else f'[{line}]')
    with pytest.raises(ValueError, match=match):
        list_paths(read_inputs([other, path]), Path('out'))


def test_bad_videos_are_left_out() -> None:
    lists = read_inputs([write('train.txt', 'a.mp4 0', 'b.mp4 1')])
    paths, names = list_paths(lists, Path('out')), name_copies(lists)
    bad = {'a.mp4': MediaError('a.mp4', 'is cut off')}
    told = write_lists(lists, paths, names, bad, Path('out'))
    assert Path('out/train.txt').read_text() == 'videos/b.mp4 1\n'
    assert '1 lines, 1 left out' in told[0]
    bad['b.mp4'] = bad['a.mp4']
    with pytest.raises(ValueError, match='no video of train.txt can be used'):
        write_lists(lists, paths, names, bad, Path('out'))


def test_faulty_lines() -> None:
    lists = read_inputs([write('train.txt', 'a.mp4 0', 'b.mp4', 'c.mp4 1')])
    with pytest.raises(ValueError, match="(?s)1 lines.*'b.mp4' has no label"):
        check_lines(lists, 'raise')
    assert [fault.line for fault in check_lines(lists, 'report')] == [2]
    with pytest.raises(ValueError, match='names no video'):
        check_lines(read_inputs([write('val.txt')]), 'report')
    folders = MediaList('x', 'folders')
    with pytest.raises(ValueError, match='build_annotations'):
        check_lines([folders], 'report')
    lists = read_inputs(
        [write('videos/train.txt', 'a.mp4 0'),
         Path('val.txt')])
    with pytest.raises(ValueError, match='among the copies'):
        list_paths(lists, Path('out'))
