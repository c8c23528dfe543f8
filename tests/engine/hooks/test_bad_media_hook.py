"""Bad files are replaced, reported, counted, and end a run beyond a share."""
from pathlib import Path
from typing import Any, List

import mmengine
import pytest
import torch
from bad_media_run import (OPENED, FakeDecode, Numbers, Stop, build, listed,
                           logged, run, video_set)
from mmengine.hooks import Hook
from mmengine.logging import MessageHub
from preloaded_python import spawn
from torch.utils.data import ConcatDataset, Subset

from mmvideomamba.datasets.bad_medium import BadMediaShareError
from mmvideomamba.datasets.transforms import OpenVideo
from mmvideomamba.datasets.video.choice import reader_in_use
from mmvideomamba.engine.hooks import BadMediaHook

TRAIN = ['0', '1_bad', '2', '3', '4_bad', '5', '6', '7']


def replaced(batches: List[List[int]]) -> None:
    """Check the batches of 3 epochs."""
    assert len(batches) == 12
    for start in range(0, 12, 4):
        epoch = [n for batch in batches[start:start + 4] for n in batch]
        assert len(epoch) == 8 and not {1, 4} & set(epoch)
        assert {0, 2, 3, 5, 6, 7} <= set(epoch)


def test_training_replaces_and_tells(tmp_path: Path) -> None:
    replaced(run(build(tmp_path, TRAIN)))
    found = listed(tmp_path)
    assert found.keys() == {'1_bad', '4_bad'}
    entry = found['1_bad']
    # Counted once per epoch for the file itself, and for each draw as a
    # replacement.
    assert entry['epochs'].keys() == {'1', '2', '3'}
    assert entry['count'] == sum(entry['epochs'].values()) >= 3
    assert (entry['fault'], entry['policy'],
            entry['hung']) == ('is damaged', 'replace', False)
    lines = [x for x in logged(tmp_path) if '_bad' in x or 'bad media' in x]
    assert len(lines) == 3
    assert 'bad media in epoch 1: 2 files' in lines[0]
    assert '2 of 8 files, 25 %' in lines[0]


@pytest.mark.parametrize('loader', [
    dict(num_workers=0),
    dict(num_workers=2, persistent_workers=True),
    dict(num_workers=1, persistent_workers=False),
])
def test_resumed_training_draws_the_same(tmp_path: Path, loader: dict) -> None:
    """Draws do not depend on the number of workers; the list goes on."""
    whole = run(build(tmp_path / 'a', TRAIN))
    killed = build(tmp_path / 'b', TRAIN, [Stop(6)], loader=loader)
    assert run(killed) == whole[:6]
    after = run(build(tmp_path / 'b', TRAIN, resume=True))
    assert after == whole[4:]
    for name, entry in listed(tmp_path / 'a').items():
        same = listed(tmp_path / 'b')[name]
        assert same['epochs'] == entry['epochs']


def test_training_goes_on_within_an_epoch(tmp_path: Path) -> None:
    """A training on videos and images, each list with bad files, goes on."""

    def start(folder: Path, **kwargs: Any) -> Any:
        checkpoint = dict(type='CheckpointHook', interval=3, by_epoch=False)
        return build(
            folder,
            TRAIN,
            images=['10', '11_bad', '12', '13'],
            default_hooks=dict(checkpoint=checkpoint),
            **kwargs)

    whole = run(start(tmp_path / 'a'))
    assert len(whole) == 18  # 4 batches of videos, 2 of images
    killed = start(
        tmp_path / 'b', hooks=[Stop(10)], loader=dict(num_workers=1))
    assert run(killed) == whole[:10]
    assert run(start(tmp_path / 'b', resume=True)) == whole[9:]
    found = listed(tmp_path / 'b')
    assert found.keys() == {'1_bad', '4_bad', '11_bad'}
    assert found['11_bad']['source'].endswith('images.txt')


@pytest.fixture(autouse=True)
def folders(tmp_path: Path) -> None:
    OPENED.clear()
    MessageHub.get_current_instance()
    for name in ('a', 'b'):
        (tmp_path / name).mkdir()


def test_share_ends_the_run(tmp_path: Path) -> None:
    """At the interval, before a checkpoint is written."""
    runner = build(tmp_path, TRAIN, share=0.2, hook=BadMediaHook(interval=3))
    with pytest.raises(
            BadMediaShareError, match='2 of 8 files of .*train.txt') as caught:
        runner.train()
    assert 'max_bad_share=0.2' in str(caught.value)
    assert '1_bad.mp4 is damaged' in str(caught.value)
    assert 'bad_media.json' in str(caught.value)
    assert runner.iter in (2, 3) and not list(tmp_path.glob('*.pth'))
    assert listed(tmp_path).keys() == {'1_bad', '4_bad'}


@pytest.mark.parametrize('sampler', ['InfiniteSampler', 'DefaultSampler'])
def test_training_by_iterations(tmp_path: Path, sampler: str) -> None:
    """Any number of workers draw the same; the limit holds in the hook."""

    def start(folder: str, workers: int, **kwargs: Any) -> Any:
        loader = dict(num_workers=workers)
        return build(
            tmp_path / folder,
            TRAIN,
            loader=loader,
            sampler=sampler,
            train_cfg=dict(by_epoch=False, max_iters=7),
            **kwargs)

    whole = run(start('a', 0))
    assert run(start('b', 2)) == whole and len(whole) == 7
    assert listed(tmp_path / 'a').keys() == {'1_bad', '4_bad'}
    with pytest.raises(BadMediaShareError, match='All of them are in'):
        start('b', 2, share=0.1, hook=BadMediaHook(interval=3)).train()


def test_share_ends_the_run_at_the_end_of_the_epoch(tmp_path: Path) -> None:
    runner = build(tmp_path, TRAIN, share=0.2)
    with pytest.raises(BadMediaShareError):
        runner.train()
    assert runner.iter == 4 and not list(tmp_path.glob('*.pth'))


def test_hung_files_are_remembered(tmp_path: Path) -> None:
    """Over epochs and a resume, but not into a new training."""
    names = ['0', '1_hung', '2', '3']
    run(build(tmp_path, names, [Stop(3)]))
    assert OPENED.count('1_hung') == 1
    assert listed(tmp_path)['1_hung']['hung']
    run(build(tmp_path, names, resume=True))
    assert OPENED.count('1_hung') == 1
    assert listed(tmp_path)['1_hung']['epochs'].keys() == {'1', '2', '3'}
    run(build(tmp_path, names, epochs=1))
    assert OPENED.count('1_hung') == 2
    assert listed(tmp_path)['1_hung']['epochs'].keys() == {'1'}


def dumped(folder: Path) -> List[int]:
    return [x['sample_idx'] for x in mmengine.load(folder / 'dump.pkl')]


@pytest.mark.parametrize('test, left', [
    (['0', '1', '2_bad', '3', '4_bad'], [0, 1, 3]),
    (['0_bad', '1', '2'], [1, 2]),
    (['0', '1', '2', '3'], [0, 1, 2, 3]),
])
def test_report(tmp_path: Path, test: List[str], left: List[int]) -> None:
    """All other predictions are kept and dumped, the last file too."""
    metrics = build(tmp_path, test=test).test()
    assert metrics['all/numbers'] == left == dumped(tmp_path)
    bad = len(test) - len(left)
    assert metrics.get('bad_media', 0) == bad
    if bad:
        assert len(listed(tmp_path, 'test')) == bad
        assert any(f'{bad} of {len(test)} samples are left out' in line
                   for line in logged(tmp_path))


def test_nothing_left_to_test(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match='no file of .*test.txt can be read'):
        build(tmp_path, test=['0_bad', '1_bad']).test()


def test_a_test_leaves_the_list_of_the_training(tmp_path: Path) -> None:
    run(build(tmp_path, TRAIN, epochs=1))
    build(tmp_path, test=['0', '1_bad']).test()
    assert listed(tmp_path).keys() == {'1_bad', '4_bad'}
    build(tmp_path, test=['0', '2_bad']).test()
    assert listed(tmp_path, 'test').keys() == {'2_bad'}
    assert not list(tmp_path.glob('bad_media.json.*'))


def test_checkpoints_tell_the_reader(tmp_path: Path) -> None:

    def meta(*steps: Any) -> dict:
        runner = build(tmp_path, ['0', '1'], epochs=1)
        pipeline = runner.train_dataloader.dataset.pipeline
        pipeline.transforms[:0] = steps
        checkpoint: dict = dict(meta={})
        run(runner)
        for hook in runner.hooks:
            if isinstance(hook, BadMediaHook):
                hook.before_save_checkpoint(runner, checkpoint)
        return checkpoint['meta']

    class Opener(OpenVideo):
        """Open nothing."""

        def transform(self, results: dict) -> dict:
            return results

    assert meta() == {}
    assert meta(Opener()) == dict(video_reader=reader_in_use())
    assert meta(Opener(reader='pyav'))['video_reader'].startswith('pyav ')


def test_list_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / 'bad_media.json').write_text('[')
    run(build(tmp_path, TRAIN, epochs=1))
    assert any('begun anew' in line for line in logged(tmp_path))
    assert len(listed(tmp_path)) == 2


def test_list_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / 'bad_media.json').mkdir()
    replaced(run(build(tmp_path, TRAIN)))
    assert sum('cannot be written' in line for line in logged(tmp_path)) == 1


def test_validation_between_iterations(tmp_path: Path) -> None:
    """Training files are not counted as files of the validation."""
    validation = dict(
        batch_size=2,
        num_workers=0,
        sampler=dict(type='DefaultSampler', shuffle=False),
        dataset=video_set(
            tmp_path,
            'val', ['0', '9_bad'],
            bad_media='report',
            test_mode=True))
    runner = build(
        tmp_path,
        TRAIN,
        train_cfg=dict(by_epoch=False, max_iters=6, val_interval=3),
        val_dataloader=validation,
        val_cfg=dict(),
        val_evaluator=[Numbers()])
    run(runner)
    assert listed(tmp_path).keys() == {'1_bad', '4_bad'}
    assert listed(tmp_path, 'val').keys() == {'9_bad'}


def test_wrappers_with_a_list_of_numbers(tmp_path: Path) -> None:
    """Two data sets in ConcatDataset, the second through a Subset."""
    one, other = (video_set(
        tmp_path, name, names, bad_media='report', test_mode=True)
                  for name, names in dict(
                      a=['0', '1_bad', '2'], b=['3', '4_bad']).items())
    runner = build(tmp_path, test=['0'])
    runner._test_dataloader['dataset'] = ConcatDataset(
        [one, Subset(other, [0, 1])])
    metrics = runner.test()
    assert metrics['all/numbers'] == [0, 2, 3] and metrics['bad_media'] == 2


@pytest.mark.parametrize('policies, match', [
    (('report', 'report'), "'report' is not for training"),
    (('replace', 'replace'), "'replace' is not for test"),
])
def test_policies_in_the_wrong_place(tmp_path: Path, policies: tuple,
                                     match: str) -> None:
    with pytest.raises(ValueError, match=match):
        runner = build(tmp_path, TRAIN, test=['0'], policies=policies)
        runner.train() if policies[0] == 'report' else runner.test()


def test_bad_interval() -> None:
    with pytest.raises(ValueError, match='interval must be at least 1'):
        BadMediaHook(interval=0)


# On two processes.

TEST = ['0', '1', '2_bad', '3', '4', '5', '6_bad']


class Iterations(Hook):
    """Note how far the training came."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def after_train_iter(self, runner: Any, *args: Any, **_: Any) -> None:
        self.path.write_text(str(runner.iter + 1))


def work(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        'gloo', init_method=f'file://{folder}/meet', rank=rank, world_size=2)
    found: dict = {}
    path = Path(folder)
    for device in ('cpu', 'gpu'):
        runner = build(path, test=TEST)
        for metric in runner._test_evaluator:
            metric.collect_device = device
        found[device] = runner.test()
    # Only one process knows the bad files.
    runner = build(
        path, [*map(str, range(15)), '15_bad'],
        [Iterations(path / f'{rank}.txt')],
        share=0.01,
        hook=BadMediaHook(interval=3))
    try:
        runner.train()
    except BadMediaShareError as error:
        found['error'] = str(error)
    torch.save(found, path / f'{rank}.pth')
    torch.distributed.destroy_process_group()


@pytest.mark.slow
def test_two_processes(tmp_path: Path) -> None:
    """Nothing is lost or counted twice, and both end together."""
    spawn(work, (str(tmp_path), ), 2)
    one, other = (torch.load(tmp_path / f'{i}.pth') for i in range(2))
    assert one == other
    for device in ('cpu', 'gpu'):
        assert one[device]['all/numbers'] == [0, 1, 3, 4, 5]
        assert one[device]['bad_media'] == 2
    assert dumped(tmp_path) == [0, 1, 3, 4, 5]
    assert '1 of 16 files' in one['error']
    # The hook before ours has seen the same number of iterations.
    ends = [(tmp_path / f'{i}.txt').read_text() for i in range(2)]
    assert ends[0] == ends[1] and int(ends[0]) <= 4
    assert listed(tmp_path).keys() == {'15_bad'}
    assert listed(tmp_path, 'test').keys() == {'2_bad', '6_bad'}


def test_decoder_of_these_tests_draws() -> None:
    """Else a resumed training would be the same without our doing."""
    assert FakeDecode()(dict(filename='3.mp4'))['imgs'].tolist() == [3.]
