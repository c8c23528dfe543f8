"""Classes are numbered, and none is lost without a word."""
from pathlib import Path

import pytest

from mmvideomamba.datasets.preparation.annotation_builder import (
    Tree, bad_videos, drop, find_tree, group_reasons, missing_classes,
    number_classes, same_videos, without_classes)
from mmvideomamba.datasets.preparation.media_check import (CheckSettings,
                                                           FileCheck)


def touch(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def test_classes(tmp_path: Path) -> None:
    tree = find_tree(touch(tmp_path, 'b/1.mp4', 'a/1.mp4', 'a/x.gif'))
    assert tree.splits == {'': dict(a=['a/1.mp4'], b=['b/1.mp4'])}
    assert tree.left_out.keys() == {'a/x.gif'}
    more = find_tree(tmp_path, extensions=('.gif', ))
    assert more.splits['']['a'] == ['a/x.gif']


def test_splits_share_the_numbering(tmp_path: Path) -> None:
    touch(tmp_path, 'train/b/1.mp4', 'train/c/1.mp4', 'test/a/1.mp4',
          'test/c/x', 'note.mp4')
    tree = find_tree(tmp_path)
    assert tree.splits == dict(
        train=dict(a=[], b=['train/b/1.mp4'], c=['train/c/1.mp4']),
        test=dict(a=['test/a/1.mp4'], b=[], c=[]))
    assert tree.left_out.keys() == {'test/c/x', 'note.mp4'}
    told = missing_classes(tree)
    assert len(told) == 2 and told[0].endswith('in the split train: a')
    as_classes = find_tree(tmp_path, 'classes').splits['']
    assert list(as_classes) == ['test', 'train']


def test_unclear_layout(tmp_path: Path) -> None:
    touch(tmp_path, 'train/b/1.mp4', 'train/c/1.mp4')
    with pytest.raises(ValueError, match='holds the split train only'):
        find_tree(tmp_path)
    with pytest.raises(ValueError, match='no folders of splits'):
        find_tree(tmp_path / 'train', 'splits')


def test_given_numbering(tmp_path: Path) -> None:
    names = tmp_path / 'names.txt'
    names.write_bytes('\ufeffc\n\nb\na\n'.encode())
    tree = Tree({'': dict(a=['a/1'], c=['c/1'])}, {})
    found = number_classes(tree, names).splits['']
    assert list(found.items()) == [('c', ['c/1']), ('b', []), ('a', ['a/1'])]
    for content, text in (('a\nb\n', "does not name .*'c'"), ('a\nc\na\n',
                                                              'a twice')):
        names.write_text(content)
        with pytest.raises(ValueError, match=text):
            number_classes(tree, names)


def test_bad_videos(tmp_path: Path) -> None:
    tree = Tree({'': dict(a=['x y/1', 'x y/2'], b=['b/1', 'b/2', 'b/3'])}, {})
    results = [FileCheck(frames=9), FileCheck('damaged', 'is cut off'),
               FileCheck(frames=1), FileCheck(frames=2),
               FileCheck('hung', 'hung')]  # yapf: disable
    checks = {
        str(tmp_path / path): result
        for path, result in zip(tree.paths(), results)
    }
    bad, told = bad_videos(tree, tmp_path, checks, ' ', 2)
    assert list(bad) == ['x y/1', 'x y/2', 'b/1', 'b/3']
    assert sorted(told) == ['b/1', 'b/3', 'x y/', 'x y/2']
    assert 'is cut off' in bad['x y/2'] and '--min-frames' in bad['b/1']


def test_class_is_not_lost_in_silence() -> None:
    tree = Tree({'': dict(a=['1', '2'], b=['3', '4'], c=['5', '6'])}, {})
    with pytest.raises(
            ValueError, match='(?s)b: 1 of 2 videos.*--drop-classes'):
        drop(tree, {'3': 'bad'}, 2, False)
    kept, small = drop(tree, {'3': 'bad'}, 2, True)
    assert kept.splits['']['b'] == ['4'] and list(small) == ['b']
    assert list(without_classes(kept, {'b'}, False).splits['']) == ['a', 'c']
    assert without_classes(kept, {'b'}, True).splits['']['b'] == []
    with pytest.raises(ValueError, match='fewer than two classes'):
        without_classes(kept, {'b', 'c'}, True)


def test_split_may_lack_but_not_lose_a_class() -> None:
    tree = Tree(
        dict(train=dict(a=['1'], b=['2']), val=dict(a=['3'], b=[])), {})
    assert drop(tree, {}, 2, False) == (tree, {})
    with pytest.raises(ValueError, match='a: 0 of 1 videos of val'):
        drop(tree, {'3': 'bad'}, 2, False)


def test_same_content(tmp_path: Path) -> None:
    for name in ('a', 'b', 'c'):
        (tmp_path / name).write_text('same')
    tree = Tree(dict(train=dict(x=['a'], y=['b']), val=dict(x=['c'], y=[])),
                {})  # yapf: disable
    checks = {
        str(tmp_path / n): FileCheck(size=4, file_id=n)
        for n in ('a', 'b', 'c')
    }
    faults = same_videos(tree, tmp_path, checks, CheckSettings())
    kinds = {(f.kind, f.path) for f in faults}
    assert ('two-labels', 'b') in kinds and ('in-two-splits', 'a') in kinds


def test_reasons_are_grouped() -> None:
    left_out = {f'{i:02}.zip': 'is a .zip' for i in range(12)}
    text = group_reasons({**left_out, 'a': 'is hidden'})
    assert '12: is a .zip' in text and '09.zip' in text
    assert '10.zip' not in text and 'and 2 more' in text
