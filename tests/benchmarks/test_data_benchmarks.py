"""Tiny runs of the benchmarks of training data, and the sums in tables."""
import json
from argparse import Namespace
from pathlib import Path
from types import ModuleType
from typing import Any, Callable, List

import pytest
from mmengine.runner import Runner

from mmvideomamba.datasets.video import open_video

Bench = Callable[[str], ModuleType]
pytest.importorskip('av', reason='the benchmarks encode with PyAV')


def videos(bench: Bench, folder: Path) -> List[str]:
    """Make two small videos and a list."""
    made = bench('made_videos')
    names = made.make_videos(folder / 'originals', 2, made.SMALL)
    made.write_list(folder / 'originals' / 'train.csv', names)
    return names


def test_made_videos(bench: Bench, tmp_path: Path) -> None:
    names, kind = videos(bench, tmp_path), bench('made_videos').SMALL
    with open_video(str(tmp_path / 'originals' / names[1]), 'pyav') as video:
        assert len(video) == kind.frames
        first, last = video.get_frames([0, kind.frames - 1])
    assert first.shape == (kind.height, kind.width, 3)
    pictures = list(bench('made_videos').moving_picture(kind, 1))
    # Compression costs a few grey levels; another frame differs by far more.
    for decoded, number in ((first, 0), (last, -1)):
        errors = [
            abs(decoded.astype(float) - x).mean()
            for x in (pictures[number], pictures[12])
        ]
        assert errors[0] < 10 < errors[1]


def test_lists_begin_anew(bench: Bench, tmp_path: Path) -> None:
    bench('made_videos').write_list(tmp_path / 'list', ['a', 'b'], ' ', 3)
    assert (tmp_path / 'list').read_text() == 'a 0\nb 1\na 2\n'


def test_pipelines(bench: Bench, tmp_path: Path) -> None:
    videos(bench, tmp_path)
    script = bench('data_pipeline')
    reader = script.Reader(tmp_path)
    workers, device = (
        script.Row(x, 'originals', 2) for x in (script.WORKERS, script.DEVICE))
    assert reader.ask(workers) > 0
    assert script.clips_of(reader.sets[workers][0]) == 2
    assert 'ClipRandAugment' in reader.ask(workers, 'steps')
    left = reader.ask(device, 'steps')
    assert 'DecodeFrames' in left and 'ClipRandAugment' not in left


def test_ratios_of_pipelines(bench: Bench) -> None:
    script = bench('data_pipeline')
    turns = script.Turns(None, None)
    base = script.Row(script.BEFORE, 'originals', 2)
    mine = script.Row(script.DEVICE, 'originals', 2)
    alone = script.Row(script.DEVICE, 'originals', 1)
    # Each round by itself: a slow moment is in both.
    turns.rates = {base: [10., 5., 10.], mine: [20., 10., 30.], alone: [1.]}
    assert turns.ratio(mine) == '2.00'
    assert turns.ratio(alone) == ''


@pytest.fixture
def training(bench: Bench, tmp_path: Path) -> Any:
    """Return the benchmark of trainings, with two videos and no copy."""
    script = bench('training_data')
    args = Namespace(
        tiny=True,
        device='cpu',
        workers=0,
        before=None,
        patience=60.,
        timed=32)
    made = script.Bench(args, tmp_path)
    made.names = made.copied = videos(bench, tmp_path)
    (tmp_path / 'prepared_copy').mkdir()
    (tmp_path / 'work').mkdir()
    return made


def test_training_with_its_data(training: Any, bench: Bench,
                                tmp_path: Path) -> None:
    bench('loader_clock')
    row = 'train.py, originals, workers'
    case = bench('training_rows').TINY
    cfg = training.config(case, row, tmp_path / 'work')
    runner = Runner.from_cfg(cfg)
    with pytest.raises(SystemExit):
        runner.train()
    found = json.loads((tmp_path / 'work' / 'clock.json').read_text())
    assert found['ms'] > 0 and 0 < found['waiting'] < 100
    assert found['ready'] == [0, 0] and found['timed'] == 2
    assert found['cores'] > 0 and found['host'] > 0
    assert runner.iter == 3  # of four; the last never began


def test_rows_without_their_needs(training: Any, bench: Bench) -> None:
    script = bench('training_rows')
    for row in (script.EAGER, 'train.py before, originals'):
        assert training.row(script.TINY,
                            row) == dict(note='no older checkout given')


def test_windows(bench: Bench) -> None:
    window = bench('training_data').Window
    # Whole bursts of the workers, after all samples prepared in advance.
    assert window.of(15, 2, 32) == (40, 45, 31)
    assert window.of(0, 2, 32) == (10, 32, 1)


def test_table_of_trainings(bench: Bench) -> None:
    script = bench('training_rows')
    row = 'train.py, prepared copy, device'
    entry = dict(ms=100., clips=64, ready=[10, 2], timed=40)
    lines = {
        (script.TINY, script.EAGER): dict(ms=100., clips=64),
        (script.TINY, row): entry,
        (script.MIDDLE, row): dict(note='out of memory')
    }
    # 8 of 40 batches had waited: 32 came in 4 seconds.
    assert script.sustained(entry) == pytest.approx(125.)
    assert script.sustained(dict(entry, ready=[0, 9])) == pytest.approx(100.)
    eager, mine, failed = script.rows_of(lines)
    assert eager[5] == '1.000' and eager[4] == '640'
    assert mine[3:6] == ['125.0', '512', '0.800']
    assert failed[:3] == [script.MIDDLE, row, 'out of memory']


def test_table_of_accuracies(bench: Bench, tmp_path: Path) -> None:
    script = bench('augment_accuracy')
    scalars = tmp_path / 'now' / 'vis_data' / 'scalars.json'
    scalars.parent.mkdir(parents=True)
    scalars.write_text('{"loss": 1}\n{"acc/top1": 0.5, "step": 1}\n'
                       '{"acc/top1": 0.25, "step": 2}\n')
    assert script.accuracies(tmp_path) == [50., 25.]
    job = script.Job('quickstart', 'workers', 0)
    found = {
        job: dict(last=97., best=98., seconds=9.),
        job._replace(seed=1): dict(last=99., best=99., seconds=11.),
        job._replace(seed=2): dict(note='failed')
    }
    assert script.rows_of(found) == [[
        'quickstart', 'workers', '97.0, 99.0, failed', '98.0', '98.5', '10.0'
    ]]
