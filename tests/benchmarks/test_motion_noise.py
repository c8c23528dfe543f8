"""Rows, tests, probes and page of the benchmark on videos of noise."""
import dataclasses
import json
import shutil
from pathlib import Path
from types import ModuleType
from typing import Any, Callable, Dict

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner

from mmvideomamba.datasets.preparation import NoiseSettings, make_noise_set
from mmvideomamba.datasets.preparation.noise_set import (check_settings,
                                                         draw_clip)

Bench = Callable[[str], ModuleType]


@pytest.fixture(scope='module')
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('noise')
    classes = ('left', 'right', 'up', 'down')
    make_noise_set(
        folder / 'kinds',
        NoiseSettings('kinds', 8, 4, 8, frames=4, size=32, classes=classes))
    return folder


def found_row(row: Any, matrix: Any, **changes: Any) -> Dict[str, Any]:
    """Return a result as kept by the benchmark."""
    tests = {name: dict(matrix=matrix) for name in row.tests}
    return dict(
        row._asdict(),
        tests=tests,
        clips=4000.,
        waited=.02,
        gib=3.,
        loss=[(10, 2.)],
        accuracy=[(156, .5), (312, .9)],
        beside=3,
        **changes)


def test_plan_has_every_row_of_the_page(bench: Bench) -> None:
    rows = bench('motion_noise_rows')
    plan = rows.full_plan(4, 6)
    for settings in plan.sets.values():
        check_settings(settings)
    keys = [row.key for row in plan.rows]
    assert len(set(keys)) == len(keys)
    table = [r for r in plan.rows if r.part == 'table']
    assert len(table) == 27 and {r.seed for r in table} == {0, 1, 2}
    for number, row in enumerate(plan.rows):
        assert not row.start or row.start in keys[:number]
        assert row.data in plan.sets
    # The musts come first.
    assert [r.seed for r in plan.rows[:3]] == [0, 1, 2]
    assert plan.rows[3].name == 'one frame'


def test_configs_hold_what_rows_say(bench: Bench, tmp_path: Path) -> None:
    rows = bench('motion_noise_rows')
    plan = rows.full_plan(4, 6)
    names = ('one frame', 'trained on shuffled frames', 'ViT, tubelet 1',
             'shapes, at once', '16 frames')
    chosen = [r for r in plan.rows if r.name in names and not r.seed]
    assert len(chosen) == len(names)
    for row in chosen:
        cfg = rows.row_config(row, plan, tmp_path, row.shuffled)
        settings = plan.sets[row.data]
        backbone = cfg.model.backbone
        assert backbone.num_frames == row.frames <= settings.frames
        assert backbone.get('embed_dims') == 192 or \
            backbone.arch.embed_dims == 192
        for part in ('train', 'val', 'test'):
            dataset = cfg[f'{part}_dataloader'].dataset
            steps = {s.type: s for s in dataset.pipeline}
            assert steps['SampleFrames'].clip_len == row.frames
            assert ('mmvideomamba.ShuffleFrames' in steps) == row.shuffled
            assert dataset.num_classes == len(settings.names)
            assert not {'Flip', 'RandomResizedCrop'} & set(steps)
        clips = steps['SampleFrames'].get('num_clips', 1)
        assert row.frames == 1 or clips * row.frames == settings.frames
        assert cfg.param_scheduler[-1].end == cfg.train_cfg.max_epochs
        assert cfg.randomness.seed == row.seed


@pytest.mark.parametrize('number', range(2))
def test_rows_train_and_are_tested(bench: Bench, data: Path, tmp_path: Path,
                                   number: int) -> None:
    """VideoMamba and ViT, for two steps."""
    rows, runs = bench('motion_noise_rows'), bench('motion_noise_runs')
    plan = rows.smoke_plan()
    row = plan.rows[number]
    cfg = rows.row_config(row, plan, data, False)
    cfg.work_dir = str(tmp_path / 'work')
    cfg.log_level = 'WARNING'
    runner = Runner.from_cfg(cfg)
    before = {k: v.clone() for k, v in runner.model.state_dict().items()}
    runner.train()
    assert runner.iter == 2
    assert any(not torch.equal(before[k], v)
               for k, v in runner.model.state_dict().items())
    cfg = rows.row_config(row, plan, data, True)
    cfg.load_from = str(runs.last_checkpoint(tmp_path / 'work'))
    cfg.work_dir = str(tmp_path / 'test')
    cfg.log_level = 'WARNING'
    path = runs.write_config(cfg, tmp_path / 'configs/test.py')
    matrix = np.array(runs.test_matrix(str(path)))
    assert matrix.shape == (4, 4) and matrix.sum(1).tolist() == [2] * 4
    log = runs.read_log(tmp_path / 'work', cfg)
    assert len(log['accuracy']) == 1 and log['clips'] > 0
    assert log['gib'] == 0 and 0 <= log['waited'] <= 1


def test_later_stages_begin_with_weights(bench: Bench, tmp_path: Path) -> None:
    runs, plan = bench('motion_noise_runs'), bench(
        'motion_noise_rows').smoke_plan()
    place = runs.Place(tmp_path, tmp_path, 1, '')
    first, stage, last = plan.rows[0], plan.rows[3], plan.rows[4]
    for row in (first, stage):
        folder = tmp_path / row.key
        folder.mkdir()
        (folder / 'last_checkpoint').write_text(f'{folder}/epoch_1.pth')
    with pytest.raises(RuntimeError, match='no checkpoint.*from the .json'):
        runs.training_config(stage, plan, place)
    for row in (first, stage):
        (tmp_path / row.key / 'epoch_1.pth').touch()
    cfg = runs.training_config(stage, plan, place)
    # Letters have another head than motions.
    assert cfg.model.backbone.init_cfg.checkpoint == str(tmp_path / first.key /
                                                         'epoch_1.pth')
    assert not cfg.load_from
    cfg = runs.training_config(last, plan, place)
    assert cfg.load_from == str(tmp_path / stage.key / 'epoch_1.pth')


def test_log_of_a_resumed_training(bench: Bench, tmp_path: Path) -> None:
    runs = bench('motion_noise_runs')
    lines = [[
        dict(loss=2., time=.1, memory=1024, iter=10),
        dict(data=0, **{'data/wait_share': .2}), {
            'acc/top1': .25,
            'step': 1
        }
    ],
             [
                 dict(loss=1., time=.2, memory=2048, iter=20),
                 dict(loss=1., time=.2, memory=512, iter=30), {
                     'data/wait_share': .4
                 }, {
                     'acc/top1': .5,
                     'step': 2
                 }
             ]]
    for number, part in enumerate(lines):
        path = tmp_path / f'run{number}/vis_data/run{number}.json'
        path.parent.mkdir(parents=True)
        path.write_text('\n'.join(map(json.dumps, part)))
    cfg = Config(dict(train_dataloader=dict(batch_size=40)))
    found = runs.read_log(tmp_path, cfg)
    assert found['loss'] == [(10, 2.), (20, 1.), (30, 1.)]
    assert found['accuracy'] == [(10, .25), (30, .5)]
    assert found['clips'] == pytest.approx(200)
    assert found['waited'] == pytest.approx(.3)
    assert found['gib'] == 2
    plan = bench('motion_noise_rows').smoke_plan()
    row, place = plan.rows[0], runs.Place(tmp_path, tmp_path, 1, '', 2)
    assert runs.unfinished_row(row, plan, place) == {}
    for epochs, remark in ((20, 'ended after 30 of 40 steps'),
                           (15, 'trained to the end')):
        row = row._replace(epochs=epochs)
        (tmp_path / row.key).mkdir()
        for name in ('run0', 'run1'):
            shutil.copytree(tmp_path / name, tmp_path / row.key / name)
        unfinished = runs.unfinished_row(row, plan, place)
        assert unfinished['remark'] == f'{remark}, not tested'
        assert unfinished['beside'] == 2 and not unfinished['tests']


def test_rows_wait_for_their_first_weights(bench: Bench,
                                           tmp_path: Path) -> None:
    script, rows = bench('motion_noise'), bench(
        'motion_noise_rows').smoke_plan().rows
    store = script.Store(tmp_path / 'a.json', 'cpu')
    store.add(rows[1], dict(key='kept'))
    # A finished row is not handed out again, not by a later process either.
    queue = script.Queue(rows, script.Store(tmp_path / 'a.json', 'cpu'))
    first = queue.take()
    assert first == rows[0]
    assert [queue.take() for _ in range(3)] == [rows[2], *rows[5:]]
    queue.store.fail(first, 'broken')
    queue.done(first)
    for row in (rows[2], *rows[5:]):
        queue.done(row)
    # A row after a failed row cannot start.
    assert queue.take() is None
    kept = json.loads((tmp_path / 'a.json').read_text())
    assert list(kept['failed']) == [first.key]
    kept['made']['torch'] = '1.0'
    (tmp_path / 'a.json').write_text(json.dumps(kept))
    with pytest.raises(ValueError, match='results of .*1.0.*--out'):
        script.Store(tmp_path / 'a.json', 'cpu')
    # To write the page again, the machine does not matter.
    store = script.Store(tmp_path / 'a.json', 'cpu', render=True)
    assert store.found['made']['torch'] == '1.0'


def test_rows_out_of_time_go_on_later(bench: Bench, tmp_path: Path,
                                      monkeypatch) -> None:
    script, rows = bench('motion_noise'), bench(
        'motion_noise_rows').smoke_plan().rows
    store = script.Store(tmp_path / 'a.json', 'cpu')

    def run_row(row: Any, *_: Any) -> dict:
        if row == rows[0]:
            raise script.OutOfTime
        if row == rows[1]:
            raise RuntimeError('no memory')
        return dict(key=row.key)

    monkeypatch.setattr(script, 'run_row', run_row)
    monkeypatch.setattr(script, 'unfinished_row', lambda *_: dict(got=1))
    script.work_through(
        script.Queue(rows[:3], store), None, None, float('inf'))
    assert list(store.found['rows']) == [rows[2].key]
    assert store.found['failed'] == {rows[1].key: 'no memory'}
    # Shown, but not finished.
    assert store.found['partial'] == {rows[0].key: dict(got=1)}
    assert rows[0] in script.Queue(rows, store).waiting
    store.add(rows[0], dict(key='whole'))
    assert not store.found['partial']


def test_a_child_is_ended_in_time(bench: Bench, tmp_path: Path) -> None:
    runs = bench('motion_noise_runs')
    place = runs.Place(tmp_path, tmp_path, 1, '')
    sleep, log = ['-c', 'import time; time.sleep(600)'], tmp_path / 'log'
    assert runs.run_child(sleep, place, log, 0.) == runs.PREEMPTED
    for code in (0, 3):
        command = ['-c', f'print("said"); exit({code})']
        assert runs.run_child(command, place, log, 1e12) == code
    assert log.read_text().split() == ['said', 'said']


def test_probes_are_at_chance_unless_a_frame_tells(bench: Bench,
                                                   tmp_path: Path) -> None:
    probes, page = bench('motion_noise_probes'), bench('motion_noise_page')
    settings = NoiseSettings(
        'shapes', 60, 3, 60, frames=2, size=32, classes=('L', 'T', 'X'))
    make_noise_set(tmp_path / 'noise', settings)
    for right, count in probes.probe(tmp_path / 'noise', settings,
                                     100).values():
        low, high = page.wilson(right, count)
        assert count == 60 and low - .1 < 1 / 3 < high + .1
    # White letters: means of areas tell.
    shown = dataclasses.replace(settings, appearance=1.)
    frames = [
        probes.frame_statistics(draw_clip(shown, 'train', i)[0][-1])['means']
        for i in range(60)
    ]
    classes = np.array(frames).reshape(20, 3, -1).mean(0)
    assert np.ptp(classes, 0).max() > .5


def test_statistics_of_a_pattern(bench: Bench) -> None:
    probes = bench('motion_noise_probes')
    stripes = np.tile(np.repeat(np.array([255, 0], np.uint8), 2), (32, 8))
    found = probes.frame_statistics(stripes)
    # Columns agree at lag 1 in half of the pairs, rows always.
    assert found['autocorrelations'][:8].tolist() == [1.] * 8
    assert found['autocorrelations'][9] == -1
    assert found['runs'][1] == 1
    assert found['means'].tolist() == [0.] * 16
    rings = found['spectrum'][:8]
    assert rings.argmax() == 4


def test_intervals(bench: Bench) -> None:
    wilson = bench('motion_noise_page').wilson
    low, high = wilson(50, 100)
    assert (low, high) == (pytest.approx(.4038, abs=1e-4),
                           pytest.approx(.5962, abs=1e-4))
    assert wilson(0, 10)[0] == pytest.approx(0, abs=1e-12)
    assert wilson(10, 10) == (pytest.approx(.7225, abs=1e-4), pytest.approx(1))


def test_page_and_figure(bench: Bench, tmp_path: Path) -> None:
    rows, page = bench('motion_noise_rows'), bench('motion_noise_page')
    plan = rows.full_plan(4, 6)
    perfect = 50 * np.eye(18, dtype=int)
    mixed = perfect.copy()
    mixed[0, :2] = 20, 30
    done = {}
    for row in plan.rows[:4]:
        matrix = mixed if row.seed == 1 else perfect
        done[row.key] = found_row(row, matrix.tolist())
    lengths = [r for r in plan.rows if r.part == 'length'][:2]
    done.update({r.key: found_row(r, perfect.tolist()) for r in lengths})
    results = dict(
        rows=done,
        partial={
            lengths[1].key:
            dict(done.pop(lengths[1].key), tests={}, remark='cut')
        },
        failed={'ViT-x': 'Traceback\nno memory\n'},
        probes={'means': [5, 90]},
        data=[['kinds', '22716', '5.0', '16', '24600']],
        resume=True,
        page='A machine, 2026',
        commands=['a.py --minutes 1', 'a.py --minutes 2'],
        minutes=3.)
    page.write(results, plan, tmp_path / 'a.md', 'cpu')
    text = (tmp_path / 'a.md').read_text()
    assert '96.7 (95.3 to 97.7)' in text
    assert 'left as right 60 %' in text
    assert '| VideoMamba, tubelet 2, spatial_first | 4 | 3 | 98.9 | 96.7 |' \
        in text
    assert 'pairs of shuffled frames allow 61.1 %' in text
    assert '| means | 5.6 (2.4 to 12.4) |' in text
    assert 'white cells 0, noise of letters moves right.' in text.replace(
        '\n  ', ' ')
    assert 'weights equal those' in text
    assert '| 16 frames | 4 | 0 | 90.0 |  |  |  | cut |' in text
    assert '    python a.py --minutes 1\n\nA machine, 2026. 3 min' in text
    assert 'Further calls:\n\n    python a.py --minutes 2\n' in text
    assert 'Failed: ViT-x: no memory' in text
    assert plan.rows[-1].key in text.split('Not finished: ')[1]
    assert '| 4 | 1 | 90.0 | 96.7 (95.3 to 97.7) |' in text
    assert '| one frame, seed 0 | 3 | 4000 | 2 | 3.0 |' in text
    for name in ('a.png', 'a_detail.png'):
        assert (tmp_path / name).stat().st_size > 10000


def test_without_a_gpu_the_full_plan_is_refused(bench: Bench, capsys) -> None:
    script = bench('motion_noise')
    with pytest.raises(SystemExit):
        script.parse_args(['--gpus'])
    assert 'no GPU; --smoke' in capsys.readouterr().err
    assert script.main(['--gpus', '--list']) == 0
    assert capsys.readouterr().out.count('\n') == 50
    # The lengths have a small plan for a CPU.
    assert script.main(['--cpu', '--list']) == 0
    assert capsys.readouterr().out.split()[0].startswith('8-frames')
    plans = [script.parse_args([way, '--list']) for way in ('--cpu', '--gpus')]
    for name in ('out', 'work', 'data'):
        assert getattr(plans[0], name) != getattr(plans[1], name)


def test_rows_by_name_and_speeds_apart(bench: Bench, capsys) -> None:
    script = bench('motion_noise')
    assert script.main(['--gpus', '--list']) == 0
    keys = capsys.readouterr().out.split()
    chosen = [keys[7], keys[0]]
    assert script.main(['--gpus', '--list', '--rows', *chosen]) == 0
    assert capsys.readouterr().out.split() == chosen
    with pytest.raises(ValueError, match=r'--rows .*\[.x.\] are not'):
        script.main(['--gpus', '--list', '--rows', 'x'])
    # Trainings side by side would measure each other.
    assert not [key for key in keys if 'alone' in key]
    for words in (['speed'], ['speed', 'table', '--per-gpu', '1']):
        with pytest.raises(SystemExit):
            script.parse_args(['--gpus', '--list', '--only', *words])
    assert 'measures trainings alone' in capsys.readouterr().err
    assert script.main(
        ['--gpus', '--list', '--only', 'speed', '--per-gpu', '1']) == 0
    assert capsys.readouterr().out.count('alone') == 4


def test_a_stage_is_drawn_after_the_stage_before(bench: Bench) -> None:
    import matplotlib.pyplot as plt
    rows, page = bench('motion_noise_rows'), bench('motion_noise_page')
    stages = rows.curriculum('one way', ['shapes_one_way'], 'motion', 6)
    assert [r.epochs for r in stages] == [3, 6]
    assert stages[1].start == stages[0].key and stages[0].start == 'motion'
    figure, axis = plt.subplots()
    page.draw_curves(axis, [found_row(r, []) for r in stages], 'title')
    assert [list(line.get_xdata()) for line in axis.lines] == [[156, 312],
                                                               [468, 624]]
    plt.close(figure)
