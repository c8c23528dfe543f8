"""A faulty annotation file is refused as a whole, with all reasons."""
import copy
from pathlib import Path
from typing import Any, Callable

import pytest
import torch
from mmaction.datasets import VideoDataset
from mmengine.dataset import ClassBalancedDataset
from mmengine.registry import init_default_scope

from mmvideomamba.datasets import CheckedVideoDataset
from mmvideomamba.datasets.annotation_faults import MAX_SHOWN
from mmvideomamba.registry import DATASETS

Make = Callable[..., CheckedVideoDataset]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Return a function to write an annotation file and build the data set."""
    (tmp_path / 'sub').mkdir()
    for name in ('a.mp4', 'b.mp4', 'sub/c.mp4'):
        (tmp_path / name).touch()

    def build(text: Any, cls: type = CheckedVideoDataset, **kwargs):
        ann_file = tmp_path / 'ann.txt'
        if isinstance(text, bytes):
            ann_file.write_bytes(text)
        else:
            ann_file.write_text(text)
        kwargs.setdefault('pipeline', [])
        kwargs.setdefault('data_prefix', dict(video=str(tmp_path)))
        return cls(ann_file=str(ann_file), **kwargs)

    return build


GOOD = 'a.mp4 0\nb.mp4 2\nsub/c 1\n'


@pytest.mark.parametrize('text, options', [
    (GOOD, dict()),
    (GOOD, dict(num_classes=3)),
    (GOOD.replace(' ', ','), dict(delimiter=',')),
    (GOOD.replace(' ', '\t'), dict(delimiter='\t', test_mode=True)),
    ('a.mp4\nb.mp4\n', dict(test_mode=True)),
    ('a.mp4 0 2\nb.mp4 1\n', dict(multi_class=True, num_classes=3)),
])
def test_good_file_gives_what_the_host_gives(make: Make, text: str,
                                             options: dict) -> None:
    found = make(text, **copy.deepcopy(options))
    expected = make(text, VideoDataset, **copy.deepcopy(options))
    assert len(found) == len(expected)
    for i in range(len(expected)):
        one, other = found.get_data_info(i), expected.get_data_info(i)
        assert one.keys() == other.keys()
        for key in other:
            assert torch.equal(*(torch.as_tensor(d[key]) for d in (
                one, other))) if key == 'label' else one[key] == other[key]


def test_blank_lines_and_byte_order_mark(make: Make) -> None:
    data = make(b'\xef\xbb\xbfa.mp4 0\r\n\r\nb.mp4 1\r\n\n')
    assert len(data) == 2
    assert data.get_data_info(0)['filename'].endswith('/a.mp4')


def test_missing_annotation_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match='root/no.txt does not exist'):
        CheckedVideoDataset('no.txt', [], data_root=str(tmp_path / 'root'))


@pytest.mark.parametrize('values', [[False], [dict(video=''), 1]])
def test_arguments_of_the_host_in_a_row(values: list) -> None:
    """An older order of the arguments is refused, not misread."""
    with pytest.raises(ValueError, match='give by name what the host'):
        CheckedVideoDataset('no.txt', [], *values)


@pytest.mark.parametrize('text', ['', '\n \n'])
def test_empty_annotation_file(make: Make, text: str) -> None:
    with pytest.raises(ValueError, match='ann.txt is empty.*PATH LABEL'):
        make(text)


def test_binary_annotation_file(make: Make) -> None:
    with pytest.raises(ValueError, match='ann.txt is not UTF-8 text'):
        make(b'\x80\x04\x95\xff')


@pytest.mark.parametrize('line, options, reason', [
    ('b.mp4,2', {}, r"'b.mp4,2' is not separated by ' ' but by ','; set "
     "delimiter=','"),
    ('b.mp4\t2', {}, r"'b.mp4\\t2' is not separated by ' ' but by"),
    ('b.mp4,2', dict(test_mode=True), "by ' ' but by ','"),
    ('b.mp4 2', dict(delimiter=','), "by ',' but by ' '"),
    ('b.mp4,1,2', dict(multi_class=True, num_classes=3), "by ' ' but by ','"),
    ('b.mp4 30 2', {}, "'b.mp4 30 2' has 3 columns instead of 2"),
    ('my b.mp4 2', {}, "'my b.mp4 2' has 3 columns"),
    ('b.mp4', {}, "'b.mp4' has no label"),
    ('b.mp4 cat', {}, "label 'cat' is not an integer"),
    ('b.mp4 2.0', {}, "label '2.0' is not an integer"),
    ('b.mp4 -1', {}, 'label -1 is negative'),
    ('b.mp4 3', dict(num_classes=3),
     'label 3 is out of range for num_classes=3'),
    ('b.mp4 0 3', dict(multi_class=True,
                       num_classes=3), 'label 3 is out of range'),
    ('x' * 300, {}, "'x{97}...' has no label"),
])
def test_bad_line_is_named(make: Make, line: str, options: dict,
                           reason: str) -> None:
    first = GOOD.splitlines()[0].replace(' ', options.get('delimiter', ' '))
    with pytest.raises(ValueError, match=f'line 3: .*{reason}') as caught:
        make(f'{first}\n\n{line}\n', **options)
    message = str(caught.value)
    assert 'ann.txt: 1 of 2 lines cannot be used' in message
    assert 'Correct the file, delimiter or num_classes' in message


def test_all_bad_lines_are_counted(make: Make) -> None:
    lines = ['a.mp4 0'] + ['a.mp4 9'] * (MAX_SHOWN + 5)
    with pytest.raises(ValueError) as caught:
        make('\n'.join(lines), num_classes=4)
    message = str(caught.value)
    assert f'{MAX_SHOWN + 5} of {MAX_SHOWN + 6} lines' in message
    assert message.count('label 9 is out of range') == MAX_SHOWN
    assert 'and 5 more' in message
    assert 'labels from 0 to 3' in message


def test_labels_of_some_lines_only(make: Make) -> None:
    with pytest.raises(
            ValueError, match='1 of 3 lines have no label, the first is '
            'line 2'):
        make('a.mp4 0\nb.mp4\nsub/c 1', test_mode=True)


def test_missing_videos_are_listed_and_counted(make: Make,
                                               tmp_path: Path) -> None:
    lines = ['a.mp4 0', 'sub/c 1', 'gone 2', 'no/folder.mp4 0']
    with pytest.raises(FileNotFoundError) as caught:
        make('\n'.join(lines))
    message = str(caught.value)
    assert 'ann.txt: 2 of 4 videos do not exist' in message
    assert f'line 3: {tmp_path}/gone.mp4\n' in message
    assert f'line 4: {tmp_path}/no/folder.mp4\n' in message
    assert f'data_prefix (now video={str(tmp_path)!r})' in message
    with pytest.raises(FileNotFoundError, match='and 7 more'):
        make('\n'.join(f'{i}.mp4 0' for i in range(MAX_SHOWN + 7)))


@pytest.mark.parametrize('options', [
    dict(check_files=False),
    dict(pipeline=[dict(type='mmaction.DecordInit', io_backend='petrel')]),
    dict(pipeline=[dict(type='mmvideomamba.OpenVideo', io_backend='http')]),
    dict(data_prefix=dict(video='s3://bucket/videos')),
])
def test_files_elsewhere_are_not_looked_for(make: Make, options: dict) -> None:
    assert len(make('gone.mp4 0', **options)) == 1


def test_multi_class_needs_num_classes(make: Make) -> None:
    with pytest.raises(ValueError, match='num_classes'):
        make(GOOD, multi_class=True)


def test_built_by_its_config_name(make: Make, tmp_path: Path) -> None:
    """The registry hands the message of the error on."""
    make(GOOD)
    init_default_scope('mmaction')
    cfg = dict(
        type='mmvideomamba.CheckedVideoDataset',
        ann_file='ann.txt',
        data_root=str(tmp_path),
        data_prefix=dict(video=''),
        num_classes=2,
        pipeline=[])
    with pytest.raises(ValueError, match='label 2 is out of range'):
        DATASETS.build(copy.deepcopy(cfg))
    assert len(DATASETS.build({**cfg, 'num_classes': 3})) == 3


@pytest.mark.parametrize('text, options, wanted', [
    (GOOD, dict(), [[0], [2], [1]]),
    ('a.mp4 0 2\nb.mp4 1\n', dict(multi_class=True, num_classes=3), [[0, 2],
                                                                     [1]]),
    ('a.mp4\nb.mp4\n', dict(test_mode=True), [[], []]),
])
@pytest.mark.parametrize('serialize', [False, True])
def test_classes_of_samples(make: Make, text: str, options: dict, wanted: list,
                            serialize: bool) -> None:
    found = make(text, serialize_data=serialize, **copy.deepcopy(options))
    assert [found.get_cat_ids(i) for i in range(len(found))] == wanted


def test_balanced_classes(make: Make) -> None:
    """Among nine samples the single sample of a rare class counts twice."""
    text = 'a.mp4 0\n' * 8 + 'b.mp4 1\n'
    balanced = ClassBalancedDataset(make(text), oversample_thr=4 / 9)
    assert balanced.repeat_indices == [*range(8), 8, 8]
    assert balanced.get_cat_ids(9) == [1]
    with pytest.raises(ValueError, match='no classes to balance'):
        ClassBalancedDataset(make(text, regression=True), oversample_thr=1.)
