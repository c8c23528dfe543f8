"""Windows of long videos, numbers as labels, and repeated augmentation."""
import json
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest
import torch
from common import GOLDEN
from mmaction.datasets import repeat_pseudo_collate
from mmengine.dataset import Compose

from mmvideomamba.datasets import CheckedVideoDataset, WindowVideoDataset
from mmvideomamba.registry import DATASETS

TABLES = json.loads((GOLDEN / 'frame_sampling.json').read_text())['tables']
Make = Callable[..., CheckedVideoDataset]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Return a function to write an annotation file and build the data set."""
    for name in ('a.mp4', 'b.mp4'):
        (tmp_path / name).touch()

    def build(*lines: str, cls: type = WindowVideoDataset, **kwargs: Any):
        path = tmp_path / 'ann.csv'
        path.write_text('\n'.join(lines))
        kwargs.setdefault('pipeline', [])
        kwargs.setdefault('delimiter', ',')
        return cls(
            ann_file=str(path),
            data_prefix=dict(video=str(tmp_path)),
            **kwargs)

    return build


def test_some_windows_of_a_video(make: Make) -> None:
    lines = ('a.mp4,1,120', 'b.mp4,0,20.5')
    starts = [[
        one['clip_start'] for one in make(
            *lines, num_classes=2, num_windows=count).load_data_list()
    ] for count in (None, 2)]
    assert starts == [[0., 16., 32., 48., 64., 80., 0.], [16., 64., 0.]]
    with pytest.raises(ValueError, match='num_windows must be .* but is 0'):
        make(*lines, num_windows=0)


def test_samples_are_windows(make: Make) -> None:
    data = make('a.mp4,1,75', 'b.mp4,0,20.5', num_classes=2)
    rows = [data.get_data_info(i) for i in range(len(data))]
    found = [(Path(r['video_id']).name, r['label'], r['clip_start'],
              r['clip_end']) for r in rows]
    assert found == [('a.mp4', 1, 0, 60), ('a.mp4', 1, 16, 75),
                     ('a.mp4', 1, 32, 75), ('b.mp4', 0, 0, 20.5)]
    assert [r['timestamp'] for r in rows] == [0, 16, 32, 0]


def test_whole_videos_from_the_same_file(make: Make) -> None:
    data = make('a.mp4,1,75', 'b.mp4,0,20.5', window=None)
    assert len(data) == 2
    assert 'clip_start' not in data.get_data_info(0)


def test_whole_videos_need_no_duration(make: Make) -> None:
    data = make('a.mp4,1', 'b.mp4,0,20.5', window=None, num_classes=2)
    first, second = data.get_data_info(0), data.get_data_info(1)
    assert (first['label'], second['label']) == (1, 0)
    assert 'duration' not in first and second['duration'] == 20.5
    assert first['video_id'] == first['filename']
    data = make('a.mp4,0.5', window=None, regression=True)
    assert data.get_data_info(0)['label'].item() == 0.5


@pytest.mark.parametrize('line, reason', [
    ('a.mp4', 'has no label'),
    ('a.mp4,1,2,3', 'has 4 columns instead of 2 or 3'),
    ('a.mp4,1,', "duration '' is not a finite number"),
])
def test_bad_line_of_whole_videos(make: Make, line: str, reason: str) -> None:
    with pytest.raises(ValueError, match=f'line 1: .*{reason}') as caught:
        make(line, window=None)
    assert 'A line is PATH,LABEL or PATH,LABEL,DURATION' in str(caught.value)


@pytest.mark.parametrize('line, options, reason', [
    ('a.mp4,1', {}, "'a.mp4,1' has 2 columns instead of 3"),
    ('a.mp4,1,2,3', {}, 'has 4 columns instead of 3'),
    ('a.mp4 1 75.5', {}, "by ',' but by ' '; set delimiter=' '"),
    ('a.mp4', {}, 'has no label'),
    ('a.mp4', dict(test_mode=True), 'has no label'),
    ('a.mp4,1,long', {}, "duration 'long' is not a finite number"),
    ('a.mp4,1,nan', {}, "duration 'nan' is not a finite number"),
    ('a.mp4,1,0', {}, 'duration 0 is not above 0 seconds'),
    ('a.mp4,3,75', dict(num_classes=3), 'label 3 is out of range'),
    ('a.mp4,1,30', dict(allow_short=False),
     'the video of 30 s is shorter than one window of 60 s; leave it out, or '
     'set allow_short=True'),
    ('a.mp4,x,75', dict(regression=True), "label 'x' is not a finite number"),
    ('a.mp4,nan,75', dict(regression=True), "label 'nan' is not a finite"),
    ('a.mp4,inf,75', dict(regression=True), "label 'inf' is not a finite"),
])
def test_bad_line_is_named(make: Make, line: str, options: dict,
                           reason: str) -> None:
    with pytest.raises(ValueError, match=f'line 2: .*{reason}') as caught:
        make('b.mp4,0,90', line, **options)
    value = 'VALUE' if options.get('regression') else 'LABEL'
    assert f'A line is PATH,{value},DURATION' in str(caught.value)


@pytest.mark.parametrize('options', [
    dict(window=0.),
    dict(window=-1.),
    dict(stride=0.),
])
def test_window_and_stride_are_checked(make: Make, options: dict) -> None:
    with pytest.raises(ValueError, match='must be above 0 seconds'):
        make('a.mp4,0,90', **options)


@pytest.mark.parametrize('cls, line', [
    (CheckedVideoDataset, 'a.mp4,-1'),
    (CheckedVideoDataset, 'a.mp4,-1.25e0'),
    (WindowVideoDataset, 'a.mp4,0.5,90'),
])
def test_numbers_as_labels(make: Make, cls: type, line: str) -> None:
    data = make(line, cls=cls, regression=True, test_mode=True)
    label = data.get_data_info(0)['label']
    assert label.dtype == torch.float32 and label.shape == (1, )
    assert label.item() == float(line.split(',')[1])


@pytest.mark.parametrize('line, reason', [
    ('a.mp4,', "label '' is not a finite number"),
    ('a.mp4', 'has no label'),
    ('a.mp4 0.5', "by ',' but by ' '"),
    ('a.mp4,1,2', 'has 3 columns instead of 2'),
])
def test_bad_number_is_named(make: Make, line: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        make(line, cls=CheckedVideoDataset, regression=True, test_mode=True)


def test_names_and_number_of_classes_agree(make: Make) -> None:
    with pytest.raises(ValueError, match='names 3 classes, but num_classes=2'):
        make('a.mp4,1,9', num_classes=2, metainfo=dict(classes=['x'] * 3))
    assert make('a.mp4,1,9', num_classes=2, metainfo=dict(classes=['x', 'y']))


class Count:
    """A step counting its runs, with an array for the caller to overwrite."""

    def __init__(self) -> None:
        self.runs = 0

    def __call__(self, results: dict) -> dict:
        self.runs += 1
        results['imgs'] = [np.zeros(2)]
        return results


def spoil(results: dict) -> dict:
    results['imgs'][0] += np.random.rand()
    results['label'] += 1
    return results


def test_copies_share_what_is_decoded_and_nothing_else(make: Make) -> None:
    data = make('a.mp4,1,75', 'b.mp4,0,75', num_repeats=3)
    decode = Count()
    data.pipeline = Compose([decode, spoil])
    copies = data[0]
    assert decode.runs == 1
    assert [one['label'] for one in copies] == [2] * 3
    assert len({one['imgs'][0][0] for one in copies}) == 3
    batch = repeat_pseudo_collate([data[0], data[len(data) - 1]])
    names = [Path(name).name for name in batch['filename']]
    assert names == ['a.mp4'] * 3 + ['b.mp4'] * 3


@pytest.mark.parametrize('options', [
    dict(num_repeats=0),
    dict(num_repeats=2, test_mode=True),
])
def test_copies_are_for_training(make: Make, options: dict) -> None:
    with pytest.raises(ValueError, match='num_repeats must be at least 1'):
        make('a.mp4,1,75', **options)


def test_built_by_its_config_name(make: Make, tmp_path: Path) -> None:
    make('a.mp4,1,75')
    data = DATASETS.build(
        dict(
            type='mmvideomamba.WindowVideoDataset',
            ann_file='ann.csv',
            data_root=str(tmp_path),
            data_prefix=dict(video=''),
            delimiter=',',
            pipeline=[]))
    assert len(data) == 3
