"""Videos and images take turns, in an order that survives a restart."""
from collections import Counter
from pathlib import Path
from typing import Any, List

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch.utils.data import Dataset

from mmvideomamba.engine.hooks import ResumableSeedHook
from mmvideomamba.engine.loops import ModalityLoader


class Clips(Dataset):
    """Noise of a number of frames.

    Args:
        count (int): Samples.
        frames (int): Frames of each.
    """

    def __init__(self, count: int, frames: int) -> None:
        self.count, self.frames = count, frames

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> torch.Tensor:
        return torch.full((self.frames, 2), index) + torch.rand(1)


class Toy(BaseModel):
    """Note what it sees and what it loses."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = torch.nn.Linear(2, 1)
        self.seen: List[tuple] = []

    def forward(self, inputs: torch.Tensor, mode: str = 'tensor') -> Any:
        loss = self.fc(inputs).square().mean() * 0.01
        self.seen.append((inputs.shape[1], loss.item()))
        return dict(loss=loss)

    def train_step(self, data: Any, optim_wrapper: Any) -> dict:
        losses = self(data)
        optim_wrapper.update_params(losses['loss'])
        return losses


class Stop(Hook):
    """End the process in effect, within the third epoch."""

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        if runner.epoch == 2 and batch_idx == 1:
            raise KeyboardInterrupt


def loader(count: int, frames: int, batch_size: int = 2) -> dict:
    return dict(
        batch_size=batch_size,
        num_workers=0,
        drop_last=True,
        collate_fn=dict(type='default_collate'),
        sampler=dict(type='DefaultSampler', shuffle=True),
        dataset=Clips(count, frames))


def train(folder: Path, name: str, hooks: tuple = (), **kwargs) -> List[tuple]:
    torch.manual_seed(0)
    runner = Runner(
        Toy(),
        work_dir=str(folder),
        experiment_name=name,
        default_scope='mmengine',
        train_dataloader=loader(10, 4),
        train_cfg=dict(
            type='mmvideomamba.ModalityTrainLoop',
            max_epochs=4,
            image_dataloader=loader(9, 1, 3)),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.01)),
        custom_hooks=[ResumableSeedHook(), *hooks],
        default_hooks=dict(checkpoint=dict(type='CheckpointHook', interval=1)),
        randomness=dict(seed=5),
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
    # Neither one modality after the other, nor every epoch alike.
    assert len({tuple(epoch) for epoch in epochs}) > 1
    assert all(epoch != sorted(epoch) for epoch in epochs)


def test_resumed_training_repeats_an_uninterrupted_one(whole: List[tuple],
                                                       tmp_path: Path) -> None:
    """Order and losses are those of the training that went through."""
    before = train(tmp_path, 'killed', (Stop(), ))
    assert len(before) == 17 and before == whole[:17]
    after = train(tmp_path, 'resumed', resume=True)
    assert after == whole[16:]


def test_a_loader_without_a_batch() -> None:
    loaders = dict(
        image=torch.utils.data.DataLoader(
            Clips(2, 1), batch_size=3, drop_last=True))
    with pytest.raises(ValueError, match='images has no batch: 2 samples'):
        ModalityLoader(loaders, 0)
