"""From downloads to annotation files for the recipes."""
import json
import math
import sys
from pathlib import Path
from typing import Any, Callable

import pytest
from mmengine.config import Config
from script import load_script

from mmvideomamba.registry import DATASETS

ROOT = Path(__file__).parents[2]
PIECES = ROOT / 'configs' / '_base_' / 'datasets'
PRETRAINING = ROOT / 'configs' / 'pretraining'
KINETICS = 'label,youtube_id,time_start,time_end,split\n'


@pytest.fixture
def call(tmp_path: Path, monkeypatch) -> Callable[..., str]:
    """Return a function to run a script in this process."""

    def run(name: str, *options: Any) -> str:
        module = load_script(f'tools/data/{name}.py')
        monkeypatch.setattr(
            sys, 'argv',
            [name, str(tmp_path / 'data'), *map(str, options)])
        try:
            module.main()
        except SystemExit as error:
            return str(error.code)
        return ''

    return run


def make(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / 'data' / 'videos' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def lines(folder: Path, name: str) -> list:
    return (folder / 'data' / name).read_text().splitlines()


def read_as_recipe(folder: Path,
                   piece: str,
                   part: str,
                   pieces: Path = PIECES) -> list:
    """Read a list with the data set of a recipe, without a pipeline."""
    data = Config.fromfile(pieces / f'{piece}.py')[f'{part}_dataloader']
    data = data.dataset
    data.update(data_root=str(folder / 'data'), pipeline=[])
    found = DATASETS.build(data)
    return [found.get_data_info(i) for i in range(len(found))]


def test_kinetics400(call: Callable, tmp_path: Path, capsys) -> None:
    make(tmp_path, 'train/wave/abc_000005_000015.mp4',
         'x-_y_000000_000010.mp4', 'val/v_000100_000110.mkv')
    (tmp_path /
     'train.csv').write_text(KINETICS +
                             'wave,abc,5,15,train\nbow,x-_y,0,10,train\n'
                             'bow,gone,0,10,train\n')
    (tmp_path / 'val.csv').write_text(KINETICS + 'wave,v,100,110,val\n')
    assert call('kinetics400', '--train-list', tmp_path / 'train.csv',
                '--val-list', tmp_path / 'val.csv') == ''
    assert lines(tmp_path, 'train.csv') == [
        'train/wave/abc_000005_000015.mp4,1', 'x-_y_000000_000010.mp4,0'
    ]
    assert lines(tmp_path, 'val.csv') == ['val/v_000100_000110.mkv,1']
    assert lines(tmp_path, 'classes.txt') == ['bow', 'wave']
    assert '2 videos, 1 without a video left out' in capsys.readouterr().out
    samples = read_as_recipe(tmp_path, 'kinetics400', 'train')
    assert [one['label'] for one in samples] == [1, 0]


def test_sthv2(call: Callable, tmp_path: Path) -> None:
    make(tmp_path, '1.webm', '2.webm')
    files = {
        'labels': {
            'Dropping something': '1',
            'Bending something': '0'
        },
        'something-something-v2-train':
        [dict(id='1', template='Dropping [something]')],
        'validation': [dict(id='2', template='Bending [something]')],
    }
    for name, content in files.items():
        (tmp_path / f'{name}.json').write_text(json.dumps(content))
    assert call('sthv2', '--annotations', tmp_path) == ''
    assert lines(tmp_path, 'train.csv') == ['1.webm 1']
    assert lines(tmp_path, 'val.csv') == ['2.webm 0']
    assert lines(tmp_path,
                 'classes.txt') == ['Bending something', 'Dropping something']
    assert read_as_recipe(tmp_path, 'sthv2', 'train')[0]['label'] == 1
    assert read_as_recipe(tmp_path, 'sthv2', 'val')[0]['label'] == 0
    assert lines(tmp_path, 'pretraining.csv') == ['1.webm,1']
    for config in PRETRAINING.glob('*_sthv2-rgb.py'):
        one, = read_as_recipe(tmp_path, config.stem, 'train', PRETRAINING)
        assert one['filename'].endswith('videos/1.webm')


def test_breakfast(call: Callable, tmp_path: Path) -> None:
    make(tmp_path, 'P03/cam01/P03_cereals.avi', 'P03/stereo/P03_milk_ch0.avi',
         'P03/stereo/P03_milk_ch1.avi', 'P47-stereo-P47_tea_ch1.avi',
         'P28/cam01/P28_cereals.avi', 'P46-webcam01-P46_salat.mp4',
         'P47/cam01/P47_tea.avi')
    assert call('breakfast') == ''
    assert lines(tmp_path, 'train.csv') == [
        'P03/cam01/P03_cereals.avi,0', 'P03/stereo/P03_milk_ch0.avi,8',
        'P46-webcam01-P46_salat.mp4,9'
    ]
    assert lines(tmp_path, 'test.csv') == ['P47/cam01/P47_tea.avi,2']
    assert len(lines(tmp_path, 'classes.txt')) == 10
    assert read_as_recipe(tmp_path, 'breakfast', 'test')[0]['label'] == 2


def test_coin(call: Callable, tmp_path: Path) -> None:
    make(tmp_path, 'a.mp4', 'sub/b.mp4', 'AfiVmAjfTNs.mp4')
    database = {
        'a': dict(subset='training', recipe_type=179),
        'b': dict(subset='testing', recipe_type=3),
        'AfiVmAjfTNs': dict(subset='testing', recipe_type=3)
    }
    path = tmp_path / 'COIN.json'
    path.write_text(json.dumps(dict(database=database)))
    assert call('coin', '--annotations', path) == ''
    assert lines(tmp_path, 'train.csv') == ['a.mp4,179']
    assert lines(tmp_path, 'test.csv') == ['sub/b.mp4,3']
    assert read_as_recipe(tmp_path, 'coin', 'train')[0]['label'] == 179


def test_msrvtt(call: Callable, tmp_path: Path) -> None:
    make(tmp_path, 'video7.mp4')
    assert 'holds none of' in call('msrvtt', '--annotations', tmp_path)
    (tmp_path / 'MSRVTT_JSFUSION_test.csv').write_text(
        'key,vid_key,video_id,sentence\nret0,msr7,video7,a dog runs\n')
    assert call('msrvtt', '--annotations', tmp_path) == ''
    one, = read_as_recipe(tmp_path, 'msrvtt_captions', 'test')
    assert one['filename'].endswith('videos/video7.mp4')


def write_lvu(folder: Path, task: str, *rows: str) -> None:
    path = folder / 'lists' / task
    path.mkdir(parents=True)
    for split in ('train', 'val', 'test'):
        (path / f'{split}.csv').write_text('\n'.join(['header', *rows]))


LVU = {
    'genre': ('3 Thriller-Horror {} tt1', 3),
    'like_ratio': ('90 10 {} tt1', 9 - 9.138220535629456),
    'view_count': ('1000 {} tt1', math.log(1000) - 11.76425435683139),
}


@pytest.mark.parametrize('task', LVU)
def test_lvu(call: Callable, tmp_path: Path, task: str) -> None:
    make(tmp_path, 'abc.mp4')
    row, label = LVU[task]
    write_lvu(tmp_path, task, row.format('abc'), row.format('gone'), '')
    (tmp_path / 'seconds.csv').write_text('videoid,duration\nabc,132.5\n')
    assert call('lvu', '--annotations', tmp_path / 'lists', '--durations',
                tmp_path / 'seconds.csv', '--tasks', task) == ''
    line, = lines(tmp_path, f'{task}/test.csv')
    name, value, seconds = line.split(',')
    assert (name, seconds) == ('abc.mp4', '132.5')
    assert float(value) == pytest.approx(label, rel=1e-12)


def test_lvu_windows_are_read_by_the_recipe(call: Callable,
                                            tmp_path: Path) -> None:
    make(tmp_path, 'abc.mp4')
    write_lvu(tmp_path, 'director', '9 someone abc tt1')
    (tmp_path / 'seconds.csv').write_text('videoid,duration\nabc,75\n')
    assert call('lvu', '--annotations', tmp_path / 'lists', '--durations',
                tmp_path / 'seconds.csv', '--tasks', 'director') == ''
    samples = read_as_recipe(tmp_path, 'lvu_60s', 'val')
    assert [(one['label'], one['clip_start']) for one in samples] == [(9, 0),
                                                                      (9, 16),
                                                                      (9, 32)]
    assert len(read_as_recipe(tmp_path, 'lvu', 'val')) == 1


@pytest.mark.parametrize('task, row, reason', [
    ('genre', '4 X abc tt1', 'class 4 of 4'),
    ('genre', 'x X abc tt1', 'invalid literal'),
    ('genre', '3 abc', '2 columns instead of 4'),
    ('like_ratio', '0 0 abc tt1', '0 likes and 0 dislikes give no ratio'),
    ('view_count', '0 abc tt1', '0 views have no logarithm'),
    ('view_count', 'many abc tt1', 'could not convert'),
])
def test_bad_line_of_lvu(call: Callable, tmp_path: Path, task: str, row: str,
                         reason: str) -> None:
    make(tmp_path, 'abc.mp4')
    write_lvu(tmp_path, task, row)
    (tmp_path / 'seconds.csv').write_text('videoid,duration\nabc,75\n')
    error = call('lvu', '--annotations', tmp_path / 'lists', '--durations',
                 tmp_path / 'seconds.csv', '--tasks', task)
    assert f'{task}/train.csv, line 2: {row!r} cannot be read: ' in error
    assert reason in error


def test_video_without_a_duration(call: Callable, tmp_path: Path) -> None:
    make(tmp_path, 'abc.mp4')
    write_lvu(tmp_path, 'genre', '1 X abc tt1')
    (tmp_path / 'seconds.csv').write_text('videoid,duration\nx,75\n')
    error = call('lvu', '--annotations', tmp_path / 'lists', '--durations',
                 tmp_path / 'seconds.csv', '--tasks', 'genre')
    assert 'seconds.csv has no duration of abc, task genre' in error


@pytest.mark.parametrize('name', ['P03/cam01/P03_soup.avi', 'a.avi'])
def test_other_name_in_breakfast(call: Callable, tmp_path: Path,
                                 name: str) -> None:
    make(tmp_path, name)
    assert f'{name} is not named PERSON_ACTIVITY' in call('breakfast')


def test_empty_split_of_breakfast(call: Callable, tmp_path: Path) -> None:
    make(tmp_path, 'P03/cam01/P03_tea.avi')
    assert 'holds no video of the test split' in call('breakfast')
    assert not (tmp_path / 'data' / 'train.csv').exists()


@pytest.mark.parametrize('content, reason', [
    ('{', 'is not JSON'),
    ('{}', 'has no entry "database"'),
    ('{"database": {"a": {"subset": "x", "recipe_type": 1}}}', "subset 'x'"),
    ('{"database": {"a": {"subset": "testing", "recipe_type": 180}}}',
     'recipe_type 180'),
])
def test_other_list_of_coin(call: Callable, tmp_path: Path, content: str,
                            reason: str) -> None:
    make(tmp_path, 'a.mp4')
    (tmp_path / 'COIN.json').write_text(content)
    assert reason in call('coin', '--annotations', tmp_path / 'COIN.json')


def test_missing_files_and_columns(call: Callable, tmp_path: Path) -> None:
    path = tmp_path / 'train.csv'
    options = ('--train-list', path, '--val-list', path)
    assert 'train.csv' in call('kinetics400', *options)
    path.write_text('label,id\nx,y\n')
    assert 'has no column youtube_id' in call('kinetics400', *options)
    path.write_text(KINETICS + 'wave,abc,5,15,train\n')
    assert 'does not exist or is not a folder' in call('kinetics400', *options)
    make(tmp_path, 'notes.txt')
    assert 'holds no video' in call('kinetics400', *options)
    make(tmp_path, 'other.mp4')
    assert 'none of the 1 entries has a video' in call('kinetics400', *options)
    make(tmp_path, 'x/other.mp4')
    assert 'have the same name' in call('kinetics400', *options)
    assert 'holds neither labels.json' in call('sthv2', '--annotations',
                                               tmp_path)
