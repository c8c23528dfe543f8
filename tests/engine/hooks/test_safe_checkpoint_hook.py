"""A complete checkpoint exists at any moment, and is found."""
import json
import os
import re
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any, List, Tuple

import pytest
import torch
from mmengine.fileio import LocalBackend
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmengine.runner import runner as runner_module
from preloaded_python import spawn
from tiny_training import build_runner

from mmvideomamba import atomic_file
from mmvideomamba.checkpoints.newest import newest_checkpoint
from mmvideomamba.checkpoints.reader import check_file
from mmvideomamba.engine import agreed_save
from mmvideomamba.engine.hooks import SafeCheckpointHook, safe_checkpoint_hook
from mmvideomamba.user_error import UserError

disk_usage = shutil.disk_usage
TYPE = 'mmvideomamba.SafeCheckpointHook'


@pytest.fixture(autouse=True)
def quick_start(monkeypatch: Any) -> None:
    """Leave out the compilers in the list of the environment."""
    monkeypatch.setattr(runner_module, 'collect_env', dict)


def build(folder: Path, resume: bool = False, **kwargs: Any) -> Runner:
    """Build a runner; the hook keeps the last and the best checkpoint."""
    rest = {
        k: kwargs.pop(k)
        for k in ('epochs', 'hooks', 'names', 'train_cfg', 'load_from')
        if k in kwargs
    }
    settings = dict(type=TYPE, interval=1, max_keep_ckpts=1, save_best='auto')
    return build_runner(folder, dict(settings, **kwargs), resume, **rest)


def train(folder: Path, resume: bool = False, **kwargs: Any) -> Runner:
    runner = build(folder, resume, **kwargs)
    runner.train()
    return runner


def hook_of(runner: Runner) -> SafeCheckpointHook:
    return next(x for x in runner.hooks if isinstance(x, SafeCheckpointHook))


def files(folder: Path) -> List[str]:
    """Return the files about checkpoints."""
    return sorted(p.name for p in folder.iterdir()
                  if '.p' in p.name.replace('.py', '') or 'last_' in p.name)


def last(folder: Path) -> str:
    return Path((folder / 'last_checkpoint').read_text()).name


def load(path: Path) -> dict:
    return torch.load(path, weights_only=True)


def same_state(one: Path, other: Path) -> bool:
    """Compare weights, EMA weights and the optimizer's state."""
    first, second = load(one), load(other)

    def same(a: Any, b: Any) -> bool:
        if isinstance(a, dict):
            return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
        return torch.equal(a, b) if torch.is_tensor(a) else a == b

    assert 'ema_state_dict' in first
    return all(
        same(first[key], second[key])
        for key in ('state_dict', 'ema_state_dict', 'optimizer'))


class Moments:
    """Count the moments of saves, and end the training at a chosen moment.

    Args:
        chosen (int): Number of the moment, from 1. Defaults to 0, none.
        end (Callable, optional): Called at the chosen moment.
    """

    def __init__(self,
                 monkeypatch: Any,
                 chosen: int = 0,
                 end: Any = None) -> None:
        self.seen: List[str] = []
        self.chosen, self.end = chosen, end
        put, replace, remove = (LocalBackend.put, os.replace,
                                LocalBackend.remove)

        def half_put(backend: Any, content: bytes, path: str) -> None:
            Path(path).write_bytes(content[:len(content) // 2])
            self.now(f'half of {path}')
            put(backend, content, path)

        def late_replace(draft: Path, path: Path) -> None:
            self.now(f'before {path}')
            replace(draft, path)
            self.now(f'after {path}')

        def late_remove(backend: Any, path: str) -> None:
            self.now(f'remove {path}')
            remove(backend, path)

        monkeypatch.setattr(LocalBackend, 'put', half_put)
        monkeypatch.setattr(LocalBackend, 'remove', late_remove)
        monkeypatch.setattr(atomic_file.os, 'replace', late_replace)

    def now(self, name: str) -> None:
        self.seen.append(name)
        if len(self.seen) == self.chosen:
            self.end()


EMA = (dict(type='EMAHook', momentum=0.3), )


def test_first_weights_until_there_is_a_checkpoint(tmp_path: Path) -> None:
    """A job sent again and again with --resume begins with load_from."""
    train(tmp_path / 'first', epochs=1)
    weights = tmp_path / 'first' / last(tmp_path / 'first')
    loaded: List[str] = []
    for epochs in (1, 2):
        runner = build(tmp_path / 'second', resume=True, epochs=epochs)
        runner.cfg['first_load_from'] = str(weights)
        for name in ('load_checkpoint', 'resume'):

            def note(path: str, name: str = name, **kwargs: Any) -> Any:
                loaded.append(f'{name} {Path(path).parent.name}')
                return getattr(Runner, name)(runner, path, **kwargs)

            setattr(runner, name, note)
        runner.train()
        assert runner.epoch == epochs
    assert loaded[0] == 'load_checkpoint first'
    assert 'resume second' in loaded and 'resume first' not in loaded
    assert 'load_checkpoint first' not in loaded[1:]


def train_whole(tmp_path: Path, monkeypatch: Any) -> Tuple[Path, range]:
    """Train with EMA and without interruption.

    Returns:
        tuple[Path, range]: The folder, and the numbers of the moments in the
        saves of the second epoch.
    """
    folder = tmp_path / 'whole'
    with monkeypatch.context() as patch:
        moments = Moments(patch)
        train(folder, hooks=EMA)
    start, end = (
        moments.seen.index(f'half of {folder}/epoch_{n}.pth.unfinished')
        for n in (2, 3))
    # Six moments of the checkpoint, three of the best file, and six of the
    # checkpoint with the name of the best file.
    assert end - start == 15
    return folder, range(start + 1, end + 1)


def die() -> None:
    os._exit(9)


def fill_disk() -> None:
    raise OSError(28, 'No space left on device')


@pytest.mark.parametrize('end', [die, fill_disk])
def test_ended_at_each_moment_of_a_save(tmp_path: Path, monkeypatch: Any,
                                        end: Any) -> None:
    whole, moments_of_epoch_2 = train_whole(tmp_path, monkeypatch)
    for moment in moments_of_epoch_2:
        folder = tmp_path / f'{moment}'
        with monkeypatch.context() as patch:
            moments = Moments(patch, moment, end)
            child = 0 if end is fill_disk else os.fork()
            if child == 0:
                try:
                    train(folder, hooks=EMA)
                    ended = False
                except UserError:
                    ended = True
                finally:
                    if end is die:
                        os._exit(1)
        if end is die:
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
        else:
            # A failing removal does not end the training.
            assert ended != moments.seen[moment - 1].startswith('remove')
        # All files under final names are complete, and the newest is found.
        for path in folder.glob('*.pth'):
            check_file(path)
        numbers = [int(p.stem[6:]) for p in folder.glob('epoch_*.pth')]
        found = newest_checkpoint(folder)
        assert found.path == folder / f'epoch_{max(numbers)}.pth'
        assert not found.passed_over
        assert list(folder.glob('best_*'))
        # The host's loop does not repeat the due validation, so its best file
        # remains unknown.
        hub = load(found.path)['message_hub']['runtime_info']
        due = hub['keep_ckpt_ids'] == [2] and '_1.pth' in hub['best_ckpt']
        # The resumed training leaves the same files and weights.
        train(folder, resume=True, hooks=EMA)
        more = set(files(folder)) - set(files(whole))
        assert more <= {'best_toy_acc_epoch_2.pth'} if due else not more
        assert not set(files(whole)) - set(files(folder))
        assert same_state(folder / 'epoch_3.pth', whole / 'epoch_3.pth')


def test_files_of_a_training(tmp_path: Path) -> None:
    train(tmp_path)
    assert files(tmp_path) == [
        'best_toy_acc_epoch_3.pth', 'epoch_3.pth', 'last_checkpoint'
    ]
    assert (tmp_path / 'last_checkpoint').read_text() == str(tmp_path /
                                                             'epoch_3.pth')
    hub = load(tmp_path / 'epoch_3.pth')['message_hub']['runtime_info']
    assert hub['keep_ckpt_ids'] == [3]
    assert hub['best_ckpt'] == str(tmp_path / 'best_toy_acc_epoch_3.pth')
    assert hub['training_progress']['validated']


@pytest.mark.parametrize('resume', [False, True])
def test_save_now(tmp_path: Path, resume: bool) -> None:
    """The file goes once the next regular checkpoint is complete."""
    runner = train(tmp_path, epochs=1)
    hook = hook_of(runner)
    # The state at the end of the epoch is saved already.
    assert hook.save_now(runner, 1, 4) == str(tmp_path / 'epoch_1.pth')
    assert hook.save_now(runner, 1, 5) == str(tmp_path / 'iter_5.pth')
    assert hook.save_now(runner, 1, 5) == str(tmp_path / 'iter_5.pth')
    hook.save_now(runner, 1, 6)
    assert last(tmp_path) == 'iter_6.pth'
    assert 'iter_5.pth' not in files(tmp_path)
    saved = load(tmp_path / 'iter_6.pth')
    assert {'optimizer', 'param_schedulers', 'message_hub'} <= saved.keys()
    assert (saved['meta']['epoch'], saved['meta']['iter']) == (1, 6)
    if resume:
        runner = build(tmp_path, resume=True, epochs=2)
        runner.train()
        assert runner.iter == 10  # 6 and 4 more
    else:
        hook._save_checkpoint_with_step(runner, 2, dict(epoch=2, iter=8))
    assert last(tmp_path) == 'epoch_2.pth'
    assert not list(tmp_path.glob('iter_*')) + list(
        tmp_path.glob('epoch_1.pth'))


def info(folder: Path) -> dict:
    """Return the last checkpoint's entries about checkpoints."""
    hub = load(folder / last(folder))['message_hub']['runtime_info']
    keys = [k for k in hub if 'ckpt' in k or k.startswith('best_score')]
    return {
        k: str(hub[k]).replace(str(folder), '')
        for k in keys if k not in ('replaced_ckpts', 'passing_ckpts')
    }


BY_ITERATION = dict(by_epoch=False, max_iters=4, val_interval=2)


@pytest.mark.parametrize('settings', [
    dict(interval=2, max_keep_ckpts=2, save_best=None),
    dict(interval=2, max_keep_ckpts=-1, save_last=False),
    dict(interval=-1),
    dict(interval=1, save_begin=2, max_keep_ckpts=5),
    dict(interval=1, filename_tmpl='run_{}.pkl', save_optimizer=False),
    dict(
        interval=1,
        by_epoch=False,
        max_keep_ckpts=2,
        train_cfg=BY_ITERATION,
        save_best='toy/acc'),
    dict(
        save_best=['toy/acc', 'toy/loss'],
        names=dict(acc=0.1, loss=0.1),
        max_keep_ckpts=2),
    dict(save_best='toy/loss', names=dict(loss=-0.1), rule='less'),
    dict(published_keys=['meta', 'state_dict']),
    dict(out_dir='other'),
])
def test_same_files_as_the_host(tmp_path: Path, settings: dict) -> None:
    found = []
    for kind in (TYPE, 'CheckpointHook'):
        folder = place = tmp_path / kind / 'work'
        given = dict(settings, type=kind)
        if 'out_dir' in settings:
            given['out_dir'] = str(tmp_path / kind / 'other')
            place = tmp_path / kind / 'other/work'
        train(folder, **given)
        (folder / 'last_checkpoint').rename(place / 'last_checkpoint')
        # The name of a published file ends with a hash of the content.
        names = {name.split('-')[0] for name in files(place)}
        assert names > {'last_checkpoint'}
        found.append((names, last(place), info(place)))
    assert found[0] == found[1]


def test_best_by_a_figure_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="'toy/x' is none of .*toy/acc"):
        train(tmp_path, save_best='toy/x', rule='greater')
    assert 'epoch_1.pth' in files(tmp_path)


@pytest.mark.parametrize('settings', [
    dict(filename_tmpl='run_{}.pkl', save_optimizer=False),
    dict(out_dir='other'),
])
def test_resumed_where_the_files_are(tmp_path: Path, settings: dict) -> None:
    if 'out_dir' in settings:
        settings = dict(out_dir=str(tmp_path / 'other'))
    train(tmp_path / 'work', epochs=2, **settings)
    (tmp_path / 'work/last_checkpoint').unlink()
    runner = train(tmp_path / 'work', resume=True, **settings)
    assert runner.message_hub.get_scalar('train/loss').data[0].size == 12
    assert Path(runner._load_from).name.endswith(
        settings.get('filename_tmpl', 'epoch_{}.pth').format(2))


def test_resumed_as_an_uninterrupted_training(tmp_path: Path) -> None:
    """The host forgets to save the best score after a resume."""
    settings = dict(interval=2, max_keep_ckpts=2, hooks=EMA)
    train(tmp_path / 'whole', epochs=5, **settings)
    for epochs in (2, 3, 5):
        train(tmp_path / 'cut', epochs > 2, epochs=epochs, **settings)
        (tmp_path / 'cut/epoch_9.pth.unfinished').touch()  # as after a kill
    train(tmp_path / 'cut', True, epochs=5, **settings)
    assert files(tmp_path / 'cut') == files(tmp_path / 'whole')


@pytest.mark.parametrize('copied', [False, True])
def test_moved_folder(tmp_path: Path, copied: bool) -> None:
    """Files are resumed and removed in the new place alone."""
    old, new = tmp_path / 'old', tmp_path / 'new'
    train(old, epochs=2)
    before = files(old)
    if copied:
        shutil.copytree(old, new)
    else:
        old.rename(new)
    train(new, resume=True)
    assert files(new) == [
        'best_toy_acc_epoch_3.pth', 'epoch_3.pth', 'last_checkpoint'
    ]
    assert copied == old.exists()
    if copied:
        assert files(old) == before
    assert (new / 'last_checkpoint').read_text() == str(new / 'epoch_3.pth')


def test_other_trainings_are_left_alone(tmp_path: Path) -> None:
    """Files of other trainings are never removed."""
    train(tmp_path / 'one', epochs=2)
    two = tmp_path / 'two'
    two.mkdir()
    others = ['best_toy_acc_epoch_2.pth', 'epoch_1.pth', 'epoch_77.pth']
    for name in others:
        (two / name).write_bytes(b'of another training')
    train(
        two,
        resume=True,
        load_from=str(tmp_path / 'one/epoch_2.pth'),
        epochs=4)
    for name in others:
        assert (two / name).read_bytes() == b'of another training'
    assert (tmp_path / 'one/best_toy_acc_epoch_2.pth').exists()
    assert {'epoch_4.pth', 'best_toy_acc_epoch_4.pth'} < set(files(two))
    assert not (two / 'epoch_3.pth').exists()


def test_resume_without_last_checkpoint(tmp_path: Path) -> None:
    train(tmp_path, epochs=2)
    (tmp_path / 'last_checkpoint').unlink()
    before = (tmp_path / 'epoch_2.pth').read_bytes()
    runner = build(tmp_path, resume=True, epochs=2)
    runner.train()
    assert (runner.epoch, runner.iter) == (2, 8)
    assert (tmp_path / 'epoch_2.pth').read_bytes() == before


def warnings_of(runner: Runner) -> List[str]:
    lines: List[str] = []
    runner.logger.warning = lines.append  # type: ignore
    return lines


def tear(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def test_torn_checkpoint_is_passed_over(tmp_path: Path) -> None:
    train(tmp_path, max_keep_ckpts=2)
    tear(tmp_path / 'epoch_3.pth')
    runner = build(tmp_path, resume=True)
    lines = warnings_of(runner)
    runner.train()
    told = [line for line in lines if 'epoch_3.pth is cut off' in line]
    assert len(told) == 1 and f'from {tmp_path}/epoch_2.pth' in told[0]
    check_file(tmp_path / 'epoch_3.pth')


def test_torn_checkpoints_only(tmp_path: Path) -> None:
    train(tmp_path, epochs=1)
    tear(tmp_path / 'epoch_1.pth')
    before = (tmp_path / 'epoch_1.pth').read_bytes()
    with pytest.raises(ValueError, match='epoch_1.pth is cut off.*--resume'):
        train(tmp_path, resume=True)
    assert (tmp_path / 'epoch_1.pth').read_bytes() == before


def test_nothing_to_resume_from(tmp_path: Path) -> None:
    runner = build(tmp_path, resume=True)
    lines = warnings_of(runner)
    runner.train()
    assert [x for x in lines if 'There is no checkpoint in' in x]
    assert last(tmp_path) == 'epoch_3.pth'


def test_given_file_is_torn(tmp_path: Path) -> None:
    train(tmp_path, max_keep_ckpts=2)
    torn = tmp_path / 'epoch_3.pth'
    tear(torn)
    with pytest.raises(UserError) as error:
        train(tmp_path, resume=True, load_from=str(torn))
    assert f'{torn} is cut off' in str(error.value)
    assert f'next to it is {tmp_path}/epoch_2.pth' in str(error.value)


def test_a_test_looks_for_nothing(tmp_path: Path) -> None:
    runner = build(tmp_path, resume=True)
    runner.val()
    assert runner._load_from is None and runner._resume
    assert not files(tmp_path)


@pytest.mark.parametrize('free', [10, None])
def test_full_disk(tmp_path: Path, monkeypatch: Any, free: Any) -> None:
    """Before a save and while writing: all earlier files are intact."""
    train(tmp_path, epochs=1)
    before = {name: (tmp_path / name).read_bytes() for name in files(tmp_path)}
    size = (tmp_path / 'epoch_1.pth').stat().st_size
    if free is not None:
        space = SimpleNamespace(free=free)
        monkeypatch.setattr(agreed_save.shutil, 'disk_usage', lambda _: space)
    else:
        Moments(monkeypatch, 1, fill_disk)
    with pytest.raises(UserError) as error:
        train(tmp_path, resume=True)
    assert before == {x: (tmp_path / x).read_bytes() for x in files(tmp_path)}
    text = str(error.value)
    needed = float(re.findall(r'it needs ([\d.]+) MB', text)[0])
    assert size / 2e6 - 0.1 < needed < size / 1e6 + 0.1
    assert re.search(r'[\d.]+ MB are free in ' + str(tmp_path), text)
    assert 'epoch_2.pth cannot be written' in text


class Refuse(Hook):
    """End the training before a checkpoint after some iterations."""

    def __init__(self, iterations: int) -> None:
        self.iterations = iterations

    def before_checkpoint(self, runner: Runner) -> None:
        if runner.iter >= self.iterations:
            raise SystemExit(70)


@pytest.mark.parametrize('moment', ['regular', 'best', 'signal'])
def test_other_hooks_come_first(tmp_path: Path, moment: str) -> None:
    # At the end of the epoch for a best checkpoint alone.
    interval = -1 if moment == 'best' else 1
    kwargs = dict(interval=interval, save_last=moment != 'best')
    runner = build(
        tmp_path,
        hooks=(Refuse(5), ),
        epochs=1 if moment == 'signal' else 2,
        **kwargs)
    with pytest.raises(SystemExit) as end:
        runner.train()
        assert moment == 'signal'
        runner.train_loop._iter = 5
        hook_of(runner).save_now(runner, 1, 5)
    assert end.value.code == 70
    regular = ['epoch_1.pth', 'last_checkpoint'] if moment != 'best' else []
    assert files(tmp_path) == ['best_toy_acc_epoch_1.pth', *regular]


def test_other_storage_is_pruned_last(tmp_path: Path,
                                      monkeypatch: Any) -> None:
    moments = Moments(monkeypatch)
    train(tmp_path, file_client_args=dict(backend='disk'), save_best=None)
    assert [
        x.replace(f'{tmp_path}/', '') for x in moments.seen
        if x.endswith('.pth')
    ] == [
        'half of epoch_1.pth', 'half of epoch_2.pth', 'remove epoch_1.pth',
        'half of epoch_3.pth', 'remove epoch_2.pth'
    ]


def test_file_of_a_signal_that_is_regular(tmp_path: Path) -> None:
    """With checkpoints by iteration both have the same name."""
    runner = train(
        tmp_path, by_epoch=False, interval=4, train_cfg=BY_ITERATION)
    hook = hook_of(runner)
    hook.save_now(runner, 1, 4)  # the host counts no epoch yet
    hub = load(tmp_path / 'iter_4.pth')['message_hub']['runtime_info']
    assert hub['keep_ckpt_ids'] == [4] and hub['passing_ckpts'] == []
    hook.save_now(runner, 1, 5)
    assert {'iter_4.pth', 'iter_5.pth'} < set(files(tmp_path))
    hook._save_checkpoint_with_step(runner, 6, dict(epoch=1, iter=6))
    assert {'iter_6.pth'} == {p.name for p in tmp_path.glob('iter_*')}


class FillDisk(Hook):
    """Let the main process fail to write in the second epoch."""

    def before_train_epoch(self, runner: Runner) -> None:
        full = runner.epoch == 1 and torch.distributed.get_rank() == 0
        agreed_save.shutil.disk_usage = lambda _: SimpleNamespace(
            free=0 if full else 1e9)


def work(rank: int, folder: str) -> None:
    torch.distributed.init_process_group(
        'gloo', init_method=f'file://{folder}/meet', rank=rank, world_size=2)
    runner_module.collect_env = dict
    if rank == 1:  # looks at no size and writes nothing
        safe_checkpoint_hook.size_of_state = None
        safe_checkpoint_hook.write_whole = None
    outcome = []
    for resume, hooks in ((False, (FillDisk(), )), (True, ())):
        agreed_save.shutil.disk_usage = disk_usage
        runner = build(Path(folder, 'work'), resume, hooks=hooks)
        try:
            runner.train()
            name = hook_of(runner).save_now(runner, 3, 7)
            outcome.append((runner.iter, Path(name).name))
        except UserError as error:
            outcome.append((runner.iter, error.code))
    Path(folder, f'{rank}').write_text(json.dumps(outcome))
    torch.distributed.destroy_process_group()


@pytest.mark.slow
def test_two_processes(tmp_path: Path) -> None:
    """All processes end, rank 0 with the fault; all resume from one file."""
    spawn(work, (str(tmp_path), ), 2)
    one, other = (json.loads((tmp_path / rank).read_text()) for rank in '01')
    assert one[0][0] == 4 and 'written (too little space)' in one[0][1]
    assert other[0] == [4, 1]
    assert one[1] == other[1] == [6, "iter_7.pth"]
    assert 'epoch_3.pth' in files(tmp_path / 'work')
