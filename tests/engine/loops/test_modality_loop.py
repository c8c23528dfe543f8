"""Videos and images alternate, in an order unchanged by a restart."""
import random
from collections import Counter
from pathlib import Path
from typing import Any, Iterator, List

import numpy as np
import pytest
import torch
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch.utils.data import Dataset, IterableDataset

from mmvideomamba.engine import seeding
from mmvideomamba.engine.hooks import ResumeHook
from mmvideomamba.engine.loops import ModalityLoader, resumable_loader


class Clips(Dataset):
    """Noise of a number of frames.

    Args:
        count (int): Samples.
        frames (int): Frames of each.
    """

    def __init__(self, count: int, frames: int) -> None:
        self.count, self.frames = count, frames
        self.read: List[int] = []

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> torch.Tensor:
        self.read.append(index)
        noise = torch.rand(1) + random.random() + np.random.rand()
        return torch.full((self.frames, 2), index) + noise.float()


class Stream(IterableDataset):
    """Samples without numbers."""

    def __iter__(self) -> Iterator[int]:
        return iter((1, 2))


class Toy(BaseModel):
    """Note the inputs and the losses of each step."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = torch.nn.Linear(2, 1)
        self.seen: List[tuple] = []

    def forward(self, inputs: torch.Tensor, mode: str = 'tensor') -> Any:
        # The loss depends on draws of the process as well.
        x = torch.nn.functional.dropout(self.fc(inputs), 0.5)
        loss = x.square().mean() * 0.01 + random.random() + np.random.rand()
        self.seen.append((inputs.shape[1], loss.item()))
        return dict(loss=loss)

    def train_step(self, data: Any, optim_wrapper: Any) -> dict:
        losses = self(data)
        optim_wrapper.update_params(losses['loss'])
        return losses


class Stop(Hook):
    """End the process in effect.

    Args:
        epoch (int): Number of the epoch.
        batch (int): Number of the first batch not to be trained on.
    """

    def __init__(self, epoch: int, batch: int) -> None:
        self.place = (epoch, batch)

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        if (runner.epoch, batch_idx) == self.place:
            raise KeyboardInterrupt


class Reads(Hook):
    """Count the samples read by a run, and its epochs."""

    def before_train(self, runner) -> None:
        self.count, self.epochs = 0, []

    def after_train_epoch(self, runner) -> None:
        sets = runner.train_dataloader.dataset.datasets
        self.count = sum(len(x.read) for x in sets)
        self.epochs.append(runner.epoch)


def loader(count: int, frames: int, batch_size: int, **kwargs) -> dict:
    return {
        **dict(
            batch_size=batch_size,
            num_workers=0,
            drop_last=True,
            collate_fn=dict(type='default_collate'),
            sampler=dict(type='DefaultSampler', shuffle=True),
            dataset=Clips(count, frames)),
        **kwargs
    }


def train(folder: Path,
          name: str,
          hooks: tuple = (),
          checkpoint: dict = dict(interval=1),
          images: int = 3,
          workers: dict = dict(num_workers=0),
          randomness: dict = dict(seed=5),
          **kwargs) -> List[tuple]:
    torch.manual_seed(0)
    runner = Runner(
        Toy(),
        work_dir=str(folder),
        experiment_name=name,
        default_scope='mmengine',
        train_dataloader=loader(10, 4, 2, **workers),
        train_cfg=dict(
            type='mmvideomamba.ModalityTrainLoop',
            max_epochs=4,
            image_dataloader=loader(9, 1, images, **workers)),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.01)),
        custom_hooks=[ResumeHook(), *hooks],
        default_hooks=dict(
            checkpoint=dict(type='CheckpointHook', **checkpoint)),
        randomness=randomness,
        **kwargs)
    try:
        runner.train()
    except KeyboardInterrupt:
        pass
    return runner.model.seen


@pytest.fixture(scope='module')
def whole(tmp_path_factory) -> List[tuple]:
    return train(tmp_path_factory.mktemp('whole'), 'whole')


def test_an_epoch_takes_each_batch_once(whole: List[tuple]) -> None:
    epochs = [[frames for frames, _ in whole[i:i + 8]]
              for i in range(0, 32, 8)]
    assert all(Counter(epoch) == {4: 5, 1: 3} for epoch in epochs)
    # The modalities are mixed, and epochs have different orders.
    assert len({tuple(epoch) for epoch in epochs}) > 1
    assert all(epoch != sorted(epoch) for epoch in epochs)


def test_a_process_with_its_own_seed_keeps_the_turns(whole: List[tuple],
                                                     tmp_path: Path,
                                                     monkeypatch) -> None:
    """Else processes would mix images with videos."""
    monkeypatch.setattr('mmengine.runner.utils.get_rank', lambda: 1)
    monkeypatch.setattr(seeding, 'get_rank', lambda: 1)
    randomness = dict(seed=5, diff_rank_seed=True)
    found = train(tmp_path, 'other', randomness=randomness)
    assert [frames for frames, _ in found] == [frames for frames, _ in whole]
    assert found != whole


def test_resumed_training_repeats_an_uninterrupted_one(whole: List[tuple],
                                                       tmp_path: Path) -> None:
    """Order and losses equal the uninterrupted training."""
    before = train(tmp_path, 'killed', (Stop(2, 1), ))
    assert len(before) == 17 and before == whole[:17]
    after = train(tmp_path, 'resumed', resume=True)
    assert after == whole[16:]


@pytest.mark.parametrize('stop, interval, done, epochs', [
    ((2, 6), 3, 21, [2, 3]),
    ((0, 5), 4, 4, [0, 1, 2, 3]),
    ((3, 0), 8, 24, [2, 3]),
])
def test_killed_and_resumed_within_an_epoch(whole: List[tuple], tmp_path: Path,
                                            stop: tuple, interval: int,
                                            done: int, epochs: list) -> None:
    """The rest of the epoch is the same, and nothing else is read."""
    checkpoint = dict(interval=interval, by_epoch=False)
    before = train(tmp_path, 'killed', (Stop(*stop), ), checkpoint)
    assert before == whole[:len(before)]
    reads = Reads()
    after = train(tmp_path, 'on', (reads, ), checkpoint, resume=True)
    assert after == whole[done:]
    # The checkpoint after the last batch leaves the end of the epoch to do.
    assert reads.epochs == epochs
    assert reads.count == sum(3 if frames == 1 else 2 for frames, _ in after)


@pytest.mark.slow
def test_workers_do_not_change_what_is_drawn(whole: List[tuple],
                                             tmp_path: Path) -> None:
    """Draws do not depend on the number and lifetime of workers."""
    workers = dict(num_workers=2, persistent_workers=True)
    checkpoint = dict(interval=5, by_epoch=False)
    before = train(
        tmp_path, 'killed', (Stop(1, 4), ), checkpoint, workers=workers)
    assert before == whole[:12]
    workers = dict(num_workers=1, persistent_workers=False)
    after = train(tmp_path, 'on', (), checkpoint, workers=workers, resume=True)
    assert after == whole[10:]


def test_an_epoch_of_other_batches_does_not_go_on(tmp_path: Path,
                                                  monkeypatch) -> None:
    checkpoint = dict(interval=5, by_epoch=False)
    train(tmp_path, 'killed', (Stop(0, 6), ), checkpoint)
    match = r"within an epoch of .*'image batches': 3.*'image batches': 4"
    with pytest.raises(ValueError, match=match):
        train(tmp_path, 'on', (), checkpoint, images=2, resume=True)
    monkeypatch.setattr(resumable_loader, 'get_world_size', lambda: 2)
    with pytest.raises(
            ValueError, match="now has .*'video samples per batch'"
            ': 4'):
        train(tmp_path, 'on', (), checkpoint, resume=True)


def test_a_loader_without_a_batch() -> None:
    loaders = dict(
        image=torch.utils.data.DataLoader(
            Clips(2, 1), batch_size=3, drop_last=True))
    with pytest.raises(ValueError, match='images has no batch: 2 samples'):
        ModalityLoader(loaders, 0)


@pytest.mark.parametrize('dataset, batch_size', [(Clips(2, 1), None),
                                                 (Stream(), 1)])
def test_a_loader_without_numbered_batches(dataset: Any,
                                           batch_size: int) -> None:
    stream = torch.utils.data.DataLoader(dataset, batch_size=batch_size)
    with pytest.raises(ValueError, match='ShardSampler'):
        ModalityLoader(dict(video=stream), 0)
