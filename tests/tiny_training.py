"""A training of milliseconds, for saving and ending hooks."""
from itertools import count
from pathlib import Path
from typing import Any, List

import torch
from mmengine.evaluator import BaseMetric
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch.utils.data import Dataset

_numbers = count()


class Numbers(Dataset):
    """Eight samples of four numbers."""
    metainfo: dict = dict()

    def __len__(self) -> int:
        return 8

    def __getitem__(self, index: int) -> torch.Tensor:
        return torch.full((4, ), float(index))


class Line(BaseModel):
    """A linear layer whose outputs are to be small."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = torch.nn.Linear(4, 4)

    def forward(self, inputs: torch.Tensor, mode: str = 'tensor') -> Any:
        return dict(loss=self.fc(inputs).square().mean())

    def train_step(self, data: Any, optim_wrapper: Any) -> dict:
        losses = self(data)
        optim_wrapper.update_params(losses['loss'])
        return losses

    def val_step(self, data: Any) -> List[int]:
        return [0]


class Scores(BaseMetric):
    """Give scores in proportion to the iterations done."""
    default_prefix = 'toy'

    def __init__(self, **names: float) -> None:
        super().__init__()
        self.names = names or dict(acc=0.1)

    def process(self, data_batch: Any, data_samples: Any) -> None:
        self.results.append(1)

    def compute_metrics(self, results: list) -> dict:
        return {k: v * self.runner.iter for k, v in self.names.items()}


def build_runner(folder: Path,
                 checkpoint: dict,
                 resume: bool = False,
                 epochs: int = 3,
                 hooks: tuple = (),
                 names: dict = {},
                 **kwargs: Any) -> Runner:
    """Build a runner of 4 iterations an epoch.

    Args:
        folder (Path): Working folder.
        checkpoint (dict): Config of the checkpoint hook.
        resume (bool): As of the runner.
        epochs (int): Number of epochs.
        hooks (tuple): Custom hooks.
        names (dict): Metrics, and the score of an iteration.
        **kwargs: Further arguments of the runner.
    """
    loader = dict(
        batch_size=2,
        num_workers=0,
        dataset=Numbers(),
        sampler=dict(type='DefaultSampler', shuffle=True),
        collate_fn=dict(type='default_collate'))
    metric = Scores(**names)
    torch.manual_seed(0)
    cfg = dict(
        model=Line(),
        work_dir=str(folder),
        train_dataloader=loader,
        train_cfg=dict(by_epoch=True, max_epochs=epochs),
        val_dataloader=loader,
        val_evaluator=[metric],
        val_cfg=dict(),
        optim_wrapper=dict(optimizer=dict(type='AdamW', lr=0.1)),
        param_scheduler=dict(type='ExponentialLR', gamma=0.9),
        default_hooks=dict(checkpoint=checkpoint),
        custom_hooks=list(hooks),
        randomness=dict(seed=0),
        resume=resume,
        default_scope='mmengine',
        log_level='WARNING',
        experiment_name=f'tiny-{next(_numbers)}')
    cfg.update(kwargs)
    runner = Runner(**cfg)
    metric.runner = runner
    return runner
