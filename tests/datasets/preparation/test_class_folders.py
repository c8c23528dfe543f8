"""Videos in class folders are found, checked and split."""
import os
from pathlib import Path

import pytest

from mmvideomamba.datasets.preparation import (find_videos, fold_videos,
                                               split_videos)
from mmvideomamba.datasets.preparation.class_folders import (name_fault,
                                                             name_faults,
                                                             split_folders)


@pytest.mark.parametrize('ratio, count', [(0.01, 1), (0.99, 3)])
def test_each_side_keeps_a_video(ratio: float, count: int) -> None:
    videos = dict(a=['a/1', 'a/2', 'a/3', 'a/4'])
    train, val = split_videos(videos, ratio, 0)
    assert len(val) == count and len(train) == 4 - count


def test_new_class_keeps_the_split_of_others() -> None:
    videos = dict(a=[f'a/{i}' for i in range(9)])
    _, val = split_videos(videos, 0.3, 0)
    more = dict(videos, b=[f'b/{i}' for i in range(4)])
    assert split_videos(more, 0.3, 0)[1][:len(val)] == val


def test_split_of_earlier_versions() -> None:
    videos = dict(a=[f'a/{i}' for i in range(9)], b=['b/0', 'b/1', 'b/2'])
    assert split_videos(videos, 0.3,
                        0)[1] == ['a/0 0', 'a/2 0', 'a/6 0', 'b/2 1']


def test_missing_folder_is_named() -> None:
    with pytest.raises(FileNotFoundError, match='no_such_folder'):
        find_videos(Path('no_such_folder'))


def test_everything_else_is_named(tmp_path: Path) -> None:
    for name in ('run/a.MTS', 'run/b', 'run/.c.mp4', 'run/d.txt', 'e.mp4',
                 '.f/g.mp4', 'run/.h/i.mp4', 'walk/j.mp4', 'train.txt'):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / 'empty').mkdir()
    os.mkfifo(tmp_path / 'run' / 'k.mp4')
    for name, target in (('run/l', '../walk'), ('up', '..'), ('self', '.'),
                         ('run/m.mp4', 'gone'), ('jog', 'run')):
        os.symlink(target, tmp_path / name)
    found = find_videos(tmp_path)
    assert found.videos == dict(
        empty=[], jog=['jog/a.MTS'], run=['run/a.MTS'], walk=['walk/j.mp4'])
    reasons = {
        'run/b': 'no file name ending',
        'run/.c.mp4': 'hidden',
        'run/d.txt': 'ending .txt',
        'e.mp4': 'no class folder',
        '.f': 'hidden',
        'run/.h': 'hidden',
        'empty': 'empty folder',
        'run/k.mp4': 'not a regular file',
        'run/l': 'not followed',
        'up': 'link to a folder above',
        'self': 'link to a folder above',
        'run/m.mp4': 'cannot be reached',
    }
    left_out = {
        path: why
        for path, why in found.left_out.items() if not path.startswith('jog/')
    }
    assert left_out.keys() == reasons.keys()
    for path, reason in reasons.items():
        assert reason in left_out[path], path


def folders(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).mkdir(parents=True)
    return root


def test_split_folders(tmp_path: Path) -> None:
    found = split_folders(folders(tmp_path, 'Training/run', 'valid/run'))
    assert found == dict(train=tmp_path / 'Training', val=tmp_path / 'valid')
    folders(tmp_path, 'walk')
    with pytest.raises(ValueError, match='next to walk.*--layout'):
        split_folders(tmp_path)
    folders(tmp_path, 'val/run')
    with pytest.raises(ValueError, match='both stand for the split val'):
        split_folders(tmp_path)


@pytest.mark.parametrize('names', [('train', 'val'), ('train/x', 'bus/y')])
def test_classes_named_like_splits(tmp_path: Path, names: tuple) -> None:
    assert not split_folders(folders(tmp_path, *names))


@pytest.mark.parametrize('name, delimiter, fault', [
    ('a.mp4', ' ', ''),
    ('a b.mp4', ' ', 'white space'),
    ('a b.mp4', ',', ''),
    ('a\tb.mp4', ' ', 'white space'),
    ('a,b.mp4', ',', "',' in the name"),
    (' a.mp4', ',', 'at an end'),
    ('a\nb.mp4', ',', 'line break'),
    ('\udcff.mp4', ' ', 'not UTF-8'),
])
def test_names(name: str, delimiter: str, fault: str) -> None:
    found = name_fault(name, delimiter)
    assert bool(found) == bool(fault) and fault in found


def test_faulty_folder_is_told_once() -> None:
    bad, told = name_faults(['x y/a.mp4', 'x y/b c.mp4', 'z/d e.mp4', 'z/f'],
                            ' ')
    assert list(bad) == ['x y/a.mp4', 'x y/b c.mp4', 'z/d e.mp4']
    assert list(told) == ['x y/', 'z/d e.mp4']
    assert '2 files' in told['x y/']


def test_folds() -> None:
    videos = dict(a=[f'a/{i}' for i in range(7)], b=['b/0', 'b/1', 'b/2'])
    folds = fold_videos(videos, 3, 0)
    assert folds == fold_videos(videos, 3, 0) != fold_videos(videos, 3, 1)
    every = sorted(line for _, val in folds for line in val)
    assert len(every) == len(set(every)) == 10
    for train, val in folds:
        assert sorted(train + val) == every
        labels = [line.split()[1] for line in val]
        assert labels.count('1') == 1 and labels.count('0') in (2, 3)
