"""Doubles, labels and files of lists are judged together."""
from typing import Any, Dict, List

import pytest

from mmvideomamba.datasets.preparation.list_faults import (duplicate_faults,
                                                           label_faults,
                                                           media_faults)
from mmvideomamba.datasets.preparation.media_check import FileCheck
from mmvideomamba.datasets.preparation.media_list import (Entry, Fault,
                                                          MediaList)


def make(path: str, *rows: tuple, form: str = 'class') -> MediaList:
    """Make a list of (path, label), the lines numbered from 1."""
    entries = [
        Entry(n, name, f'r/{name}', [] if label is None else [label])
        for n, (name, label) in enumerate(rows, 1)
    ]
    return MediaList(path, form, entries=entries)


def check(*lists: MediaList, **results: Any) -> Dict[str, FileCheck]:
    """Return results; each path is another file of 5 frames."""
    found = {
        e.file: FileCheck(frames=5, size=7, file_id=e.file)
        for media in lists
        for e in media.entries
    }
    for name, changes in results.items():
        path = f'r/{name}.mp4'
        found[path] = found[path]._replace(**changes)
    return found


def brief(faults: List[Fault]) -> List[tuple]:
    return sorted((f.kind, f.list, f.line) for f in faults)


def test_files() -> None:
    media = make('train.txt', *((f'{c}.mp4', 0) for c in 'abcdef'))
    checks = check(
        media,
        b=dict(kind='damaged', text='is cut off'),
        c=dict(frames=1),
        d=dict(frames=3),
        e=dict(open_end=True))
    del checks['r/f.mp4']
    assert brief(media_faults([media], checks,
                              4)) == [('damaged', 'train.txt', 2),
                                      ('not-checked', 'train.txt', 6),
                                      ('one-frame', 'train.txt', 3),
                                      ('open-end', 'train.txt', 5),
                                      ('short', 'train.txt', 4)]
    assert [f.kind for f in media_faults([media], checks, 1)
            ] == ['damaged', 'open-end', 'not-checked']


def test_labels() -> None:
    lists = [
        make('train.txt', ('a', 0), ('b', 3), ('c', -1)),
        make('val.txt', ('d', 0), ('e', 9)),
        make('numbers.txt', ('f', 77.5), form='number')
    ]
    faults = label_faults(lists, 5)
    assert brief(faults) == [('class-gap', '', -1),
                             ('class-gap', 'val.txt', -1),
                             ('label-range', 'train.txt', 3),
                             ('label-range', 'val.txt', 2)]
    gap, = (f for f in faults if f.kind == 'class-gap' and not f.list)
    assert gap.text.startswith('labels 1, 2, 4 without')
    # A label in the billions costs neither time nor memory.
    huge = label_faults([make('train.txt', ('a', 0), ('b', 10**12))], None)
    assert 'labels 1, 2, 3' in huge[0].text and '999999999989' in huge[0].text
    # Without a number of classes the largest label is the last class.
    texts = [f.text for f in label_faults(lists[:1], None)]
    assert any('labels 1, 2 without' in text for text in texts)


def test_same_video_in_two_splits() -> None:
    train = make('train.txt', ('a.mp4', 0), ('b.mp4', 1), ('c.mp4', 1))
    val = make('val.txt', ('a.mp4', 0), ('d.mp4', 1))
    same = dict(digest='x')
    checks = check(train, val, b=same, d=same)
    # The training gives way, in any order of the lists.
    for lists in ([train, val], [val, train]):
        assert brief(duplicate_faults(lists,
                                      checks)) == [
                                          ('in-two-splits', 'train.txt', 1),
                                          ('in-two-splits', 'train.txt', 2)
                                      ]


def test_folds_may_share_videos() -> None:
    lists = [
        make('train_fold1.txt', ('a.mp4', 0)),
        make('val_fold2.txt', ('a.mp4', 0))
    ]
    assert not duplicate_faults(lists, check(*lists))


def test_same_video_in_a_list() -> None:
    media = make('train.txt', ('a.mp4', 0), ('b.mp4', 0), ('c.mp4', 0))
    checks = check(media, b=dict(file_id='r/a.mp4'), c=dict(digest='x'))
    assert brief(duplicate_faults([media],
                                  checks)) == [('duplicate', 'train.txt', 2)]
    media.form = 'captions'  # captions of one video are not duplicates
    assert not duplicate_faults([media], checks)


@pytest.mark.parametrize('other', ['train.txt', 'val.txt'])
def test_two_labels_make_all_entries_faulty(other: str) -> None:
    media = make('train.txt', ('a.mp4', 0), ('b.mp4', 1), ('c.mp4', 1))
    more = make('val.txt', ('d.mp4', 2))
    checks = check(media, more, a=dict(digest='x'), b=dict(digest='x'))
    if other == 'val.txt':
        checks = check(media, more, a=dict(digest='x'), d=dict(digest='x'))
    found = [(f.list, f.line) for f in duplicate_faults([media, more], checks)
             if f.kind == 'two-labels']
    line = 2 if other == 'train.txt' else 1
    assert found == [('train.txt', 1), (other, line)]
