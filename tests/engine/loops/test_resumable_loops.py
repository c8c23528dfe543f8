"""A training goes on from any iteration, as if never interrupted."""
import random
from pathlib import Path
from typing import Any, Dict, List
from uuid import uuid4

import numpy as np
import pytest
import torch
from bad_media_run import logged
from mmengine.evaluator import BaseMetric
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop, Runner
from torch.utils.data import Dataset, IterableDataset

from mmvideomamba.engine.hooks import ResumeHook
from mmvideomamba.engine.loops import resumable_loader
from mmvideomamba.engine.loops.resumable_loops import (ResumableEpochLoop,
                                                       ResumableIterLoop,
                                                       make_resumable)
from mmvideomamba.engine.progress import read_progress

EPOCHS = dict(by_epoch=True, max_epochs=3)
ITERATIONS = dict(by_epoch=False, max_iters=12, val_interval=3)


class Draws(Dataset):
    """Samples drawn from the three generators."""
    metainfo: dict = dict()

    def __init__(self, size: int = 8) -> None:
        self.size = size
        self.read: List[int] = []

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: int) -> torch.Tensor:
        self.read.append(int(index))
        return torch.tensor(
            [index,
             random.random(),
             np.random.rand(),
             torch.rand(1).item()])


class Toy(BaseModel):
    """A model with random numbers in the forward pass."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = torch.nn.Linear(4, 4)
        self.seen: List[list] = []

    def forward(self, inputs: torch.Tensor, mode: str = 'tensor') -> Any:
        if mode == 'predict':
            return [self.fc.weight.detach().sum().item()]
        self.seen.append(inputs.flatten().tolist())
        x = torch.nn.functional.dropout(self.fc(inputs), 0.5)
        x = x * random.random() + np.random.rand()
        return dict(loss=x.square().mean())

    def train_step(self, data: Any, optim_wrapper: Any) -> dict:
        with optim_wrapper.optim_context(self):
            losses = self(data)
        optim_wrapper.update_params(losses['loss'])
        return losses

    def val_step(self, data: Any) -> list:
        return self(data, 'predict')


class Weight(BaseMetric):
    """The weight at each validation, in a list."""

    def __init__(self, found: list) -> None:
        super().__init__()
        self.found = found

    def process(self, data_batch: Any, data_samples: Any) -> None:
        self.results += data_samples

    def compute_metrics(self, results: list) -> Dict[str, float]:
        self.found.append(results[0])
        return dict(weight=results[0])


class Stop(Hook):
    """End the process in effect, before a batch or a validation."""
    priority = 'VERY_LOW'

    def __init__(self, iteration: int, stage: str = 'train') -> None:
        self.iteration, self.stage = iteration, stage

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        if (self.stage, runner.iter) == ('train', self.iteration):
            raise KeyboardInterrupt

    def before_val(self, runner) -> None:
        if (self.stage, runner.iter) == ('val', self.iteration):
            raise KeyboardInterrupt


def build(folder: Path,
          hooks: tuple = (),
          checkpoint: dict = dict(interval=1, by_epoch=False),
          loop: dict = EPOCHS,
          loader: dict = dict(),
          validation: Any = None,
          accumulative_counts: int = 1,
          sampler: str = 'DefaultSampler',
          size: int = 8,
          **kwargs) -> Runner:
    torch.manual_seed(0)
    common = dict(
        num_workers=0, collate_fn=dict(type='default_collate'), batch_size=2)
    parts: Dict[str, Any] = {}
    if validation is not None:
        parts.update(
            val_dataloader=dict(
                common, dataset=Draws(2), sampler=dict(type='DefaultSampler')),
            val_cfg=dict(),
            val_evaluator=[Weight(validation)])
    cfg: Dict[str, Any] = dict(
        model=Toy(),
        work_dir=str(folder),
        train_dataloader=dict(
            common,
            dataset=Draws(size),
            sampler=dict(type=sampler, shuffle=True),
            **loader),
        train_cfg=dict(loop),
        optim_wrapper=dict(
            optimizer=dict(type='Adam', lr=0.1),
            accumulative_counts=accumulative_counts),
        param_scheduler=[
            dict(type='StepLR', step_size=1, by_epoch=True, gamma=0.7),
            dict(type='ExponentialLR', by_epoch=False, gamma=0.9)
        ],
        default_hooks=dict(
            checkpoint=dict(type='CheckpointHook', **checkpoint)),
        custom_hooks=[ResumeHook(), *hooks],
        experiment_name=uuid4().hex,
        randomness=dict(seed=3),
        default_scope='mmengine')
    return Runner(**dict(cfg, **parts, **kwargs))


def run(folder: Path, hooks: tuple = (), **kwargs) -> Runner:
    state = random.getstate(), np.random.get_state()
    runner = build(folder, hooks, **kwargs)
    random.setstate(state[0]), np.random.set_state(state[1])
    random.random(), np.random.rand()  # another state of the generators
    try:
        runner.train()
    except KeyboardInterrupt:
        pass
    return runner


def assert_same(one: Runner, other: Runner) -> None:
    for a, b in zip(one.model.parameters(), other.model.parameters()):
        assert torch.equal(a, b)
    states = [x.optim_wrapper.optimizer.state_dict() for x in (one, other)]
    torch.testing.assert_close(*states, rtol=0, atol=0)
    assert [x.optim_wrapper.get_lr()
            for x in (one, other)][0] == other.optim_wrapper.get_lr()
    assert (one.iter, one.epoch) == (other.iter, other.epoch)


@pytest.mark.parametrize('stop', [1, 4, 6, 11])
@pytest.mark.parametrize('loop', [EPOCHS, ITERATIONS], ids=['epochs', 'iters'])
def test_from_any_iteration(tmp_path: Path, stop: int, loop: dict) -> None:
    whole = run(tmp_path / 'whole', loop=loop)
    assert len(whole.model.seen) == 12
    run(tmp_path / 'cut', (Stop(stop), ), loop=loop)
    resumed = run(tmp_path / 'cut', loop=loop, resume=True)
    assert resumed.model.seen == whole.model.seen[stop:]
    assert_same(resumed, whole)


def test_done_samples_are_not_read(tmp_path: Path) -> None:
    for number, loop in enumerate([EPOCHS, ITERATIONS]):
        run(tmp_path / f'{number}', (Stop(6), ), loop=loop)
        resumed = run(tmp_path / f'{number}', loop=loop, resume=True)
        read = resumed.train_dataloader.dataset.dataset.read
        assert len(read) == 12


@pytest.mark.slow
@pytest.mark.parametrize('loop', [EPOCHS, ITERATIONS], ids=['epochs', 'iters'])
def test_workers_change_nothing(tmp_path: Path, loop: dict) -> None:
    whole = run(tmp_path / 'whole', loop=loop)
    for number, loader in enumerate([
            dict(num_workers=1),
            dict(num_workers=4),
            dict(num_workers=1, persistent_workers=True)
    ]):
        folder = tmp_path / f'{number}'
        run(folder, (Stop(6), ), loop=loop, loader=loader)
        resumed = run(
            folder,
            loop=loop,
            loader=dict(num_workers=2, persistent_workers=not number),
            resume=True)
        assert resumed.model.seen == whole.model.seen[6:]
        assert_same(resumed, whole)


@pytest.mark.parametrize('stop', [4, 5, 6])
@pytest.mark.parametrize('sampler', ['DefaultSampler', 'InfiniteSampler'])
def test_accumulation_and_samplers(tmp_path: Path, sampler: str,
                                   stop: int) -> None:
    """Also between two steps of the optimizer."""
    kwargs: Dict[str, Any] = dict(
        loop=ITERATIONS, accumulative_counts=3, sampler=sampler, size=7)
    whole = run(tmp_path / 'whole', checkpoint=dict(interval=99), **kwargs)
    run(tmp_path / 'cut', (Stop(stop), Collect()), **kwargs)
    resumed = run(tmp_path / 'cut', resume=True, **kwargs)
    assert resumed.model.seen == whole.model.seen[stop:]
    assert_same(resumed, whole)


class Collect(Hook):
    """Announce each checkpoint, as SafeCheckpointHook does."""
    priority = 'LOW'

    def after_train_iter(self, runner, *args, **kwargs) -> None:
        for hook in runner.hooks:
            if isinstance(hook, ResumeHook):
                hook.before_checkpoint(runner)


@pytest.mark.parametrize('loop', [
    dict(EPOCHS, val_interval=1),
    dict(ITERATIONS, val_interval=4),
])
def test_validation_that_was_due_comes_first(tmp_path: Path,
                                             loop: dict) -> None:
    expected: List[float] = []
    checkpoint = dict(by_epoch=loop['by_epoch'], interval=1)
    whole = run(
        tmp_path / 'whole',
        loop=loop,
        validation=expected,
        checkpoint=checkpoint)
    assert len(expected) == 3
    found: List[float] = []
    run(tmp_path / 'cut', (Stop(8, 'val'), ),
        loop=loop,
        validation=found,
        checkpoint=checkpoint)
    assert found == expected[:1]
    resumed = run(
        tmp_path / 'cut',
        loop=loop,
        validation=found,
        checkpoint=checkpoint,
        resume=True)
    assert found == expected
    assert_same(resumed, whole)


def test_validation_without_a_record_is_not_due(tmp_path: Path) -> None:
    """A checkpoint of the host alone; the host does not validate."""
    found: List[float] = []
    checkpoint = dict(by_epoch=True, interval=1)
    kwargs: Dict[str, Any] = dict(checkpoint=checkpoint, validation=found)
    run(tmp_path, (Stop(4), ), custom_hooks=[Stop(4)], **kwargs)
    assert len(found) == 1
    run(tmp_path, resume=True, **kwargs)
    assert len(found) == 3


def test_drawn_seed_is_that_of_the_checkpoint(tmp_path: Path) -> None:
    kwargs: Dict[str, Any] = dict(randomness=dict(seed=None))
    cut = run(tmp_path / 'cut', (Stop(6), ), **kwargs)
    resumed = run(tmp_path / 'cut', resume=True, **kwargs)
    whole = run(
        tmp_path / 'whole',
        randomness=dict(seed=cut.seed),
        checkpoint=dict(interval=99))
    seen = [*cut.model.seen, *resumed.model.seen]
    assert sorted(seen[4:8]) != sorted(seen[:4])
    for epoch in range(3):
        batches = seen[4 * epoch:4 * epoch + 4]
        assert sorted(x for b in batches for x in b[::4]) == [*range(8)]
    assert seen == whole.model.seen


def test_different_seeds_of_ranks(tmp_path: Path) -> None:
    """The sampler's seed is drawn; the checkpoint keeps the seed."""
    kwargs: Dict[str, Any] = dict(randomness=dict(seed=3, diff_rank_seed=True))
    np.random.seed(5)
    whole = run(tmp_path / 'whole', **kwargs)
    np.random.seed(5)
    run(tmp_path / 'cut', (Stop(6), ), **kwargs)
    np.random.seed(11)
    resumed = run(tmp_path / 'cut', resume=True, **kwargs)
    assert resumed.model.seen == whole.model.seen[6:]


def test_other_batches_within_an_epoch(tmp_path: Path) -> None:
    run(tmp_path, (Stop(6), ))
    with pytest.raises(ValueError, match='within an epoch of .* now has'):
        run(tmp_path, size=10, resume=True)


def test_other_batches_from_an_end(tmp_path: Path) -> None:
    run(tmp_path, (Stop(8), ), checkpoint=dict(interval=1, by_epoch=True))
    resumed = run(tmp_path, size=10, resume=True)
    assert len(resumed.model.seen) == 5
    assert 'scheduled by iterations, shift' in ''.join(logged(tmp_path))


def test_same_batch_on_other_processes(tmp_path: Path,
                                       monkeypatch: Any) -> None:
    """Half of the samples per process on two processes go on."""
    run(tmp_path, (Stop(6), ))
    monkeypatch.setattr(resumable_loader, 'get_world_size', lambda: 2)
    runner = build(tmp_path, resume=True)
    runner._train_dataloader['batch_size'] = 1
    with pytest.raises(ValueError, match="'batches': 8"):
        runner.train()  # one process alone would have twice as many


def test_finished_training_stays_finished(tmp_path: Path) -> None:
    run(tmp_path)
    assert not run(tmp_path, resume=True).model.seen


def test_checkpoint_of_a_stock_loop(tmp_path: Path) -> None:
    whole = run(tmp_path / 'whole')
    run(tmp_path / 'cut', custom_hooks=[Stop(6)])
    assert not read_progress(build(tmp_path / 'cut').message_hub)
    resumed = run(tmp_path / 'cut', resume=True)
    seen = [x[::4] for x in resumed.model.seen]
    assert seen == [x[::4] for x in whole.model.seen[6:]]


def test_loops_that_stay_as_they_are(tmp_path: Path) -> None:

    class Own(EpochBasedTrainLoop):
        """A loop of a user."""

    class Stream(IterableDataset):

        def __iter__(self) -> Any:
            return iter(torch.rand(4, 4))

        def __len__(self) -> int:
            return 4

    runner = build(tmp_path)
    loop = runner.build_train_loop(runner._train_loop)
    own = Own(runner, loop.dataloader, 1)
    assert make_resumable(own) is own
    stream = EpochBasedTrainLoop(runner, torch.utils.data.DataLoader(Stream()),
                                 1)
    assert make_resumable(stream) is stream
    new = make_resumable(loop)
    assert type(new) is ResumableEpochLoop and make_resumable(new) is new
    lines = [x for x in logged(tmp_path) if 'will not repeat' in x]
    assert len(lines) == 2 and 'Own is not known' in lines[0]


def test_iterations_begin_anew_without_the_host_s_workers(
        tmp_path: Path) -> None:
    runner = build(tmp_path, loop=ITERATIONS)
    loop = runner.build_train_loop(runner._train_loop)
    assert type(loop) is IterBasedTrainLoop
    new = make_resumable(loop)
    assert type(new) is ResumableIterLoop
    assert new.dataloader_iterator is None
