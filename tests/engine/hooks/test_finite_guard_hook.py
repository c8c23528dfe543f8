"""Bad steps change neither weights nor checkpoints, and end the run."""
from pathlib import Path
from typing import Any, Dict

import pytest
import torch
from guarded_run import Watch, build, logged, same, state_of
from mmengine.hooks import CheckpointHook, EMAHook
from mmengine.optim import OptimWrapper, OptimWrapperDict

from mmvideomamba.engine.hooks import FiniteGuardHook
from mmvideomamba.exit_codes import DIVERGED

OPTIMIZERS: Dict[str, dict] = dict(
    AdamW=dict(type='AdamW', lr=1e-2, weight_decay=0.1),
    SGD=dict(type='SGD', lr=1e-2, momentum=0.9, weight_decay=0.1),
    Lamb=dict(type='Lamb', lr=1e-2),
    RMSprop=dict(type='RMSprop', lr=1e-2, momentum=0.9))


def diverge(runner: Any) -> None:
    with pytest.raises(SystemExit) as end:
        runner.train()
    assert end.value.code == DIVERGED == 70


@pytest.mark.parametrize('optimizer', OPTIMIZERS.values(), ids=OPTIMIZERS)
@pytest.mark.parametrize('fault', ['output', 'gradient', 'loss'])
def test_weights_and_state_survive(tmp_path: Path, optimizer: dict,
                                   fault: str) -> None:
    watch = Watch()
    runner = build(
        tmp_path,
        dict(fault=fault, iterations=[6]),
        optimizer,
        wrapper=dict(clip_grad=dict(max_norm=1.)),
        hooks=[watch])
    diverge(runner)
    assert len(watch.before) == 6
    assert not same(watch.before[4], watch.before[5])
    assert same(watch.before[5], state_of(runner))
    assert sorted(x.name for x in tmp_path.glob('*.pth')) == [
        'epoch_1.pth', 'replay_iter_6_rank0.pth'
    ]


@pytest.mark.parametrize('fault, text', [
    ('output', 'the first bad output is of body (Body) (32 nan among 32 '
     'values), whose input is finite'),
    ('gradient', 'the first bad gradient is of the parameter body.'),
    ('loss', 'all outputs of modules are finite, but not what is computed '
     'from them: loss, loss_cls'),
])
def test_message(tmp_path: Path, fault: str, text: str) -> None:
    # Each repetition counts as an iteration of the model.
    diverge(build(tmp_path, dict(fault=fault, iterations=[6, 7])))
    log = logged(tmp_path)
    assert log.count('has diverged') == 1
    assert 'diverged in iteration 6: loss = ' in log
    assert text in log
    assert 'samples: 4.png (label 0), 5.png (label 1), 6.png (label 0)' in log
    assert f'tools/replay_step.py {tmp_path}/replay_iter_6_rank0.pth' in log
    assert f'the last checkpoint is {tmp_path}/epoch_1.pth' in log
    assert 'clip_grad' in log and 'warm-up' in log


def test_bad_sample_is_named(tmp_path: Path) -> None:
    diverge(build(tmp_path, bad=[9]))
    log = logged(tmp_path)
    assert 'diverged in iteration 3: loss = nan' in log
    assert 'held bad values before the forward: 9.png (label 1)' in log


def test_fault_that_does_not_reproduce(tmp_path: Path) -> None:
    diverge(build(tmp_path, dict(fault='output', iterations=[3])))
    assert 'the fault does not reproduce' in logged(tmp_path)
    assert (tmp_path / 'replay_iter_3_rank0.pth').is_file()


@pytest.mark.parametrize('fault', ['output', 'gradient', 'loss'])
def test_accumulated_gradients(tmp_path: Path, fault: str) -> None:
    """All batches of a bad update are repeated up to the bad batch."""
    watch = Watch()
    runner = build(
        tmp_path,
        dict(fault=fault, iterations=[6, 8, 10]),
        wrapper=dict(accumulative_counts=4),
        hooks=[watch])
    diverge(runner)
    # A bad loss is known at once, a bad gradient with the update. Then the
    # batches of the update are repeated, from the fifth on.
    assert len(watch.before) == (8 if fault == 'gradient' else 6)
    assert same(watch.before[4], state_of(runner))
    assert not same(watch.before[3], watch.before[4])
    assert 'diverged in iteration 6' in logged(tmp_path)


def test_no_checkpoint_within_a_bad_update(tmp_path: Path) -> None:
    checkpoint = dict(type='CheckpointHook', interval=1, by_epoch=False)
    diverge(
        build(
            tmp_path,
            dict(fault='loss', iterations=[3]),
            wrapper=dict(accumulative_counts=2),
            default_hooks=dict(checkpoint=checkpoint)))
    names = {x.name for x in tmp_path.glob('iter_*.pth')}
    assert names == {'iter_1.pth', 'iter_2.pth'}


def test_allowed_number_of_steps(tmp_path: Path) -> None:
    """Skips are logged and counted, also by a resumed training."""
    model = dict(fault='gradient', iterations=[2, 3])
    watch = Watch()
    runner = build(
        tmp_path / 'a', model, guard=dict(max_skipped=2), hooks=[watch])
    runner.train()
    assert same(watch.before[1], watch.before[3])
    assert not same(watch.before[3], watch.before[4])
    log = logged(tmp_path / 'a')
    assert log.count('was left out') == 2
    assert 'update of iteration 3 was left out' in log
    assert 'number 2; the training ends after 2' in log

    more = build(
        tmp_path / 'b',
        dict(fault='gradient', iterations=[1]),
        guard=dict(max_skipped=2),
        load_from=str(tmp_path / 'a/epoch_1.pth'),
        resume=True)
    diverge(more)
    assert more.iter == 4


def test_skips_are_no_steps_for_statistics(tmp_path: Path) -> None:
    """Neither running statistics nor averaged weights take in a bad step."""
    ema = EMAHook(update_buffers=True)
    runner = build(
        tmp_path,
        dict(norm=True),
        bad=[2],
        guard=dict(max_skipped=9),
        hooks=[ema])
    runner.train()
    assert 'number 2;' in logged(tmp_path)
    for model in (runner.model, ema.ema_model):
        values = [*model.parameters(), *model.buffers()]
        assert all(bool(x.isfinite().all()) for x in values)


def test_weights_that_overflow(tmp_path: Path) -> None:
    """An update by finite gradients can be bad: no checkpoint is saved."""
    diverge(
        build(
            tmp_path,
            optimizer=dict(type='SGD', lr=3e38, weight_decay=100),
            default_hooks=dict(
                checkpoint=dict(
                    type='CheckpointHook', interval=1, by_epoch=False))))
    assert not list(tmp_path.glob('*.pth'))
    log = logged(tmp_path)
    assert 'diverged in iteration 1' in log
    assert 'not the weights after the update: the parameter stem.' in log


def test_no_replay_files(tmp_path: Path) -> None:
    diverge(build(tmp_path, bad=[0], guard=dict(replay=False)))
    assert not list(tmp_path.glob('*.pth'))
    assert 'replay_step' not in logged(tmp_path)


def test_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runner = build(tmp_path, bad=[0])

    def full(content: Any, path: Path) -> None:
        Path(path).write_bytes(b'half')
        raise RuntimeError('PytorchStreamWriter failed writing file')

    monkeypatch.setattr(torch, 'save', full)
    diverge(runner)
    assert not list(tmp_path.glob('*replay*'))
    assert 'no replay file: ' in logged(tmp_path)
    assert 'PytorchStreamWriter failed' in logged(tmp_path)


def test_good_training_is_unchanged(tmp_path: Path) -> None:
    """Bit by bit, with the wrappers given back."""
    runners = []
    for name in 'ab':
        changed: dict = {} if name == 'a' else dict(custom_hooks=[])
        runner = build(
            tmp_path / name, wrapper=dict(accumulative_counts=2), **changed)
        torch.manual_seed(1)
        runner.train()
        runners.append(runner)
    assert same(*map(state_of, runners))
    assert 'step' not in vars(runners[0].optim_wrapper)
    assert 'backward' not in vars(runners[0].optim_wrapper)


def test_bad_arguments() -> None:
    with pytest.raises(ValueError, match='max_skipped must be at least 0'):
        FiniteGuardHook(max_skipped=-1)
    with pytest.raises(ValueError, match='max_scaler_skips at least 1'):
        FiniteGuardHook(max_scaler_skips=0)


def test_before_checkpoint_of_ours(tmp_path: Path) -> None:
    """A hook of ours calls before_checkpoint before saving."""

    class Saves(CheckpointHook):

        save_now = None

        def after_train_iter(self, runner: Any, *args: Any,
                             **kwargs: Any) -> None:
            for hook in runner.hooks:
                if hasattr(hook, 'before_checkpoint'):
                    hook.before_checkpoint(runner)
            super().after_train_iter(runner, *args, **kwargs)

    diverge(
        build(
            tmp_path,
            dict(fault='loss', iterations=[3]),
            default_hooks=dict(checkpoint=Saves(1, by_epoch=False))))
    names = {x.name for x in tmp_path.glob('iter_*.pth')}
    assert names == {'iter_1.pth', 'iter_2.pth'}


def test_several_wrappers(tmp_path: Path) -> None:
    """A bad step of any optimizer ends the training."""
    runner = build(tmp_path, dict(fault='gradient', iterations=[2]))
    one, other = (
        OptimWrapper(torch.optim.SGD(x.parameters(), lr=0.1))
        for x in (runner.model.head, runner.model.stem))

    def train_step(data: Any, optim_wrapper: Any) -> Any:
        losses = runner.model(**data, mode='loss')
        for wrapper in optim_wrapper.values():
            wrapper.zero_grad()
        optim_wrapper['one'].backward(losses['loss_cls'])
        for wrapper in optim_wrapper.values():
            wrapper.step()
        return losses

    runner.model.train_step = train_step
    runner.optim_wrapper = OptimWrapperDict(one=one, other=other)
    before = runner.model.stem.weight.detach().clone()
    diverge(runner)
    assert runner.iter == 1
    assert not torch.equal(before, runner.model.stem.weight)
    assert bool(runner.model.stem.weight.isfinite().all())
    assert 'step' not in vars(one) and 'step' not in vars(other)
