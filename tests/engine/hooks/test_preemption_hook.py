"""A signal ends a training at the next step, after saving a checkpoint."""
import os
import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Callable, Iterator, List, Optional, Tuple

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.logging import MessageHub
from mmengine.runner import Runner
from preloaded_python import spawn
from tiny_training import build_runner
from torch.utils.data import DataLoader

from mmvideomamba.engine.hooks import PreemptionHook
from mmvideomamba.engine.loops.worker_signals import WorkerStart
from mmvideomamba.exit_codes import INTERRUPTED, PREEMPTED


class Kill(Hook):
    """Send a signal to this process at a given point of the training."""

    def __init__(self, place: str, iteration: int, number: int) -> None:
        super().__init__()

        def send(runner: Runner, *_: Any, **__: Any) -> None:
            if runner.iter == iteration:
                os.kill(os.getpid(), number)

        setattr(self, place, send)


class Saver(Hook):
    """Stands for the checkpoint hook, and notes each save."""

    def __init__(self) -> None:
        self.saved: List[Tuple[int, int, float]] = []

    def save_now(self, runner: Runner, epoch: int, iteration: int) -> str:
        weight = next(runner.model.parameters()).flatten()[0].item()
        self.saved.append((epoch, iteration, weight))
        return 'file'


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """Restore the handlers of this process."""
    numbers = (signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP, signal.SIGINT)
    before = [signal.getsignal(number) for number in numbers]
    yield
    for number, handler in zip(numbers, before):
        signal.signal(number, handler)


def runner_of(folder: Path, *hooks: Hook, **changes: Any) -> Runner:
    """Return the runner of two epochs of four iterations."""
    return build_runner(
        folder,
        dict(type='CheckpointHook', interval=1),
        epochs=2,
        hooks=(PreemptionHook(), *hooks),
        log_level='INFO',
        **changes)


@pytest.mark.parametrize('place, iteration, number, state, code', [
    ('before_train_iter', 0, signal.SIGTERM, (0, 1), PREEMPTED),
    ('before_train_iter', 1, signal.SIGUSR1, (0, 2), PREEMPTED),
    ('before_train_iter', 3, signal.SIGINT, (0, 4), INTERRUPTED),
    ('before_save_checkpoint', 4, signal.SIGTERM, (1, 4), PREEMPTED),
    ('after_train_epoch', 4, signal.SIGHUP, (1, 4), PREEMPTED),
    ('before_val', 4, signal.SIGTERM, (1, 4), PREEMPTED),
    ('before_val_iter', 4, signal.SIGTERM, (1, 4), PREEMPTED),
    ('before_val_iter', 4, signal.SIGINT, (1, 4), INTERRUPTED),
    ('after_val_epoch', 4, signal.SIGUSR1, (1, 4), PREEMPTED),
    ('before_train_epoch', 4, signal.SIGUSR1, (1, 5), PREEMPTED),
    ('before_val_iter', 8, signal.SIGTERM, (2, 8), PREEMPTED),
    ('after_val_epoch', 8, signal.SIGTERM, None, None),
])
def test_stops_at_the_next_step(tmp_path: Path, place: str, iteration: int,
                                number: int, state: Optional[tuple],
                                code: Optional[int]) -> None:
    """Epochs and iterations are complete ones; a complete training ends."""
    saver = Saver()
    runner = runner_of(tmp_path, saver, Kill(place, iteration, number))
    if code is None:
        runner.train()
        assert saver.saved == []
    else:
        with pytest.raises(SystemExit) as end:
            runner.train()
        assert end.value.code == code
        assert [one[:2] for one in saver.saved] == [state]
        # The launcher's signal to the remaining processes has no effect.
        signal.raise_signal(number)


@pytest.mark.parametrize('place, iteration, state', [
    ('before_train_iter', 1, (0, 2)),
    ('before_val_iter', 2, (0, 2)),
    ('before_train_iter', 2, (0, 3)),
    ('after_train_epoch', 4, None),
])
def test_iteration_loop(tmp_path: Path, place: str, iteration: int,
                        state: Optional[tuple]) -> None:
    """A loop by iterations has one epoch, with validations inside."""
    saver = Saver()
    runner = runner_of(
        tmp_path,
        saver,
        Kill(place, iteration, signal.SIGTERM),
        train_cfg=dict(by_epoch=False, max_iters=4, val_interval=2))
    if state is None:
        runner.train()
        assert saver.saved == []
    else:
        with pytest.raises(SystemExit):
            runner.train()
        assert [one[:2] for one in saver.saved] == [state]


def test_waits_for_the_update_of_accumulated_gradients(tmp_path: Path) -> None:
    saver = Saver()
    runner = runner_of(
        tmp_path,
        saver,
        Kill('before_train_iter', 0, signal.SIGTERM),
        optim_wrapper=dict(
            optimizer=dict(type='SGD', lr=0.1), accumulative_counts=2))
    with pytest.raises(SystemExit):
        runner.train()
    assert [one[:2] for one in saver.saved] == [(0, 2)]


@pytest.mark.parametrize('place', ['before_val_iter', 'after_val_epoch'])
def test_weights_of_the_training_are_saved(tmp_path: Path, place: str) -> None:
    """In a validation the model holds the averages of ``EMAHook``."""
    trained: List[float] = []

    class Weight(Hook):

        def after_train_epoch(self, runner: Runner) -> None:
            weight = next(runner.model.parameters()).flatten()[0].item()
            trained.append(weight)

    saver = Saver()
    ema = dict(type='EMAHook', momentum=0.5)
    runner = runner_of(tmp_path, saver, Weight(), Kill(place, 4,
                                                       signal.SIGTERM))
    runner.register_hook(ema)
    with pytest.raises(SystemExit):
        runner.train()
    assert [one[2] for one in saver.saved] == trained
    averaged = next(runner.hooks[i] for i, hook in enumerate(runner.hooks)
                    if type(hook).__name__ == 'EMAHook')
    other = next(averaged.ema_model.module.parameters()).flatten()[0].item()
    assert other != trained[0]


def test_another_checkpoint_hook(tmp_path: Path) -> None:
    """The runner saves, after a warning at the start."""
    runner = runner_of(tmp_path, Kill('before_train_iter', 1, signal.SIGTERM))
    with pytest.raises(SystemExit) as end:
        runner.train()
    assert end.value.code == PREEMPTED
    log = next(tmp_path.rglob('*.log')).read_text()
    assert 'no checkpoint hook has save_now' in log
    assert f'SIGTERM: the training is saved in {tmp_path}/iter_2.pth' in log
    path = tmp_path / 'iter_2.pth'
    assert (tmp_path / 'last_checkpoint').read_text() == str(path)
    meta = torch.load(path, weights_only=False)['meta']
    assert (meta['epoch'], meta['iter']) == (0, 2)


def test_signals_are_given_back(tmp_path: Path) -> None:
    """After a training, and at a signal after an error."""
    before = signal.getsignal(signal.SIGINT)
    runner = runner_of(tmp_path / 'complete', Saver())
    runner.train()
    assert signal.getsignal(signal.SIGINT) is before
    broken = Kill('before_val', 4, signal.SIGINT)
    broken.before_train_iter = lambda *_, **__: 1 / 0
    runner = runner_of(tmp_path / 'broken', broken)
    with pytest.raises(ZeroDivisionError):
        runner.train()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def test_workers_of_validation_and_test_are_kept(tmp_path: Path) -> None:
    runner = runner_of(tmp_path, Saver())
    runner.train()
    assert isinstance(runner.val_dataloader.worker_init_fn, WorkerStart)
    loader = DataLoader(range(2))
    PreemptionHook().before_test(SimpleNamespace(test_dataloader=loader))
    assert isinstance(loader.worker_init_fn, WorkerStart)


def test_validation_alone_votes_nothing(tmp_path: Path) -> None:
    runner = runner_of(
        tmp_path,
        train_dataloader=None,
        train_cfg=None,
        optim_wrapper=None,
        param_scheduler=None)
    assert runner.val() == {'toy/acc': 0}


class Rank(SimpleNamespace):
    """Stands for the runner of a rank; two epochs of three batches."""

    def train(self, hook: PreemptionHook, at: Callable[[str], None]) -> None:
        """Call the hook as the loops do."""
        hook.before_train(self)
        for epoch in range(2):
            for _ in range(3):
                at(f'iter {self.iter}')
                hook.after_train_iter(self, 0)
                self.iter += 1
            hook.after_train_epoch(self)
            self.epoch += 1
            hook.before_val(self)
            hook.before_val_epoch(self)
            for number in range(len(self.val_dataloader)):
                at(f'val {epoch} {number}')
                hook.after_val_iter(self, number)
            hook.after_val_epoch(self)
        hook.after_train(self)


def run_rank(rank: int, folder: str, place: str) -> tuple:
    """Train as a rank whose validation has ``rank`` batches more.

    Returns:
        tuple: Exit code, and epoch and iteration of a save.
    """
    torch.distributed.init_process_group(
        'gloo',
        init_method=f'file://{folder}/{place}',
        rank=rank,
        world_size=2)
    saver, log = Saver(), []
    runner = Rank(
        hooks=[saver],
        logger=SimpleNamespace(info=log.append, warning=log.append),
        model=torch.nn.Linear(1, 1),
        val_loop=True,
        val_dataloader=range(2 + rank),
        visualizer=SimpleNamespace(close=lambda: None),
        work_dir=folder,
        optim_wrapper=SimpleNamespace(should_update=lambda: True),
        message_hub=MessageHub(f'rank {rank}'),
        train_loop=None,
        epoch=0,
        iter=0,
        max_epochs=2,
        max_iters=6)

    def at(where: str) -> None:
        if rank == 1 and where == place:
            signal.raise_signal(signal.SIGTERM)

    code = 0
    handler = signal.getsignal(signal.SIGTERM)
    try:
        runner.train(PreemptionHook(), at)
        torch.distributed.destroy_process_group()
    except SystemExit as end:
        code = end.code
    # The hook has left the group.
    assert not torch.distributed.is_initialized()
    signal.signal(signal.SIGTERM, handler)
    return (code, *(one[:2] for one in saver.saved))


PLACES = ('iter 0', 'iter 5', 'val 0 0', 'val 0 2', 'val 1 2')


def run_places(rank: int, folder: str) -> None:
    """Train once for each point of the signal."""
    found = [run_rank(rank, folder, place) for place in PLACES]
    torch.save(found, Path(folder, f'{rank}.pth'))


@pytest.mark.slow
def test_two_processes_agree(tmp_path: Path) -> None:
    """Only one process gets the signal, and has a longer validation."""
    spawn(run_places, (str(tmp_path), ), 2)
    one, other = (torch.load(tmp_path / f'{rank}.pth') for rank in range(2))
    assert one == other == [(PREEMPTED, (0, 2)), (PREEMPTED, (2, 6)),
                            (PREEMPTED, (1, 3)), (PREEMPTED, (1, 3)), (0, )]


def test_validation_is_noted_with_the_host_s_checkpoint_hook(
        tmp_path: Path) -> None:
    """A resumed training does not validate again."""
    runner = build_runner(
        tmp_path,
        dict(type='CheckpointHook', interval=9),
        hooks=(PreemptionHook(), Kill('after_val_epoch', 4, signal.SIGTERM)))
    with pytest.raises(SystemExit):
        runner.train()
    saved = torch.load(tmp_path / 'iter_4.pth', weights_only=False)
    progress = saved['message_hub']['runtime_info']['training_progress']
    assert progress['validated']
