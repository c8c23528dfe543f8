"""A training of seconds whose steps can be made bad."""
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence

import torch
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.registry import MODELS
from mmengine.runner import Runner
from mmpretrain.structures import DataSample
from torch import nn
from torch.utils.data import Dataset

from mmvideomamba.engine.hooks import FiniteGuardHook

BAD = float('nan')


class Points(Dataset):
    """Samples with paths; samples of ``bad`` hold NaN."""

    def __init__(self, size: int = 16, bad: Sequence[int] = ()) -> None:
        rng = torch.Generator().manual_seed(0)
        self.points = torch.randn(size, 4, generator=rng)
        self.points[list(bad)] = BAD

    def __len__(self) -> int:
        return len(self.points)

    def __getitem__(self, index: int) -> Dict[str, Any]:
        sample = DataSample(metainfo=dict(img_path=f'{index}.png'))
        sample.set_gt_label(index % 2)
        return dict(inputs=self.points[index], data_samples=sample)


def collate(samples: List[Dict[str, Any]]) -> Dict[str, Any]:
    return dict(
        inputs=torch.stack([x['inputs'] for x in samples]),
        data_samples=[x['data_samples'] for x in samples])


class Spoil(torch.autograd.Function):
    """The identity, whose gradient is bad."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:
        return gradient * BAD


class Body(nn.Linear):
    """A layer whose output or gradient can be made bad."""

    fault = ''

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = super().forward(x)
        if self.fault == 'output':
            return x * BAD
        return Spoil.apply(x) if self.fault == 'gradient' else x


@MODELS.register_module()
class GuardedNet(BaseModel):
    """A small model.

    Args:
        fault (str): 'output', 'gradient' or 'loss' is made NaN in the
            iterations of ``iterations``.
        iterations (Sequence[int]): From 1 on.
        norm (bool): Whether the model has running statistics.
    """

    def __init__(self,
                 fault: str = '',
                 iterations: Sequence[int] = (),
                 norm: bool = False) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.stem = nn.Linear(4, 8)
        self.norm = nn.BatchNorm1d(8) if norm else nn.Identity()
        self.body = Body(8, 8)
        self.drop = nn.Dropout(0.3)
        self.head = nn.Linear(8, 2)
        self.fault, self.iterations = fault, list(iterations)
        self.done = 0

    def forward(self, inputs: torch.Tensor, data_samples: Any,
                mode: str) -> Dict[str, torch.Tensor]:
        self.done += 1
        bad = self.fault if self.done in self.iterations else ''
        self.body.fault = bad
        x = self.head(self.drop(self.body(self.norm(self.stem(inputs)))))
        labels = torch.stack([s.gt_label for s in data_samples]).flatten()
        loss = nn.functional.cross_entropy(x, labels.to(x.device))
        # Infinite, but with finite gradients.
        if bad == 'loss':
            loss = loss + float('inf')
        return dict(loss_cls=loss)


class Watch(Hook):
    """Keep weights and state of the optimizer before each iteration."""

    priority = 'VERY_HIGH'

    def __init__(self) -> None:
        self.before: List[Any] = []

    def before_train_iter(self, runner: Runner, *args: Any,
                          **kwargs: Any) -> None:
        self.before.append(state_of(runner))


def state_of(runner: Runner) -> List[torch.Tensor]:
    """Copy weights and state of the optimizer."""
    optimizer = runner.optim_wrapper.optimizer
    weights = [p.detach().clone() for p in runner.model.parameters()]
    state = [
        torch.as_tensor(v).detach().clone() for p in runner.model.parameters()
        for v in optimizer.state.get(p, {}).values() if v is not None
    ]
    return weights + state


def same(one: List[torch.Tensor], other: List[torch.Tensor]) -> bool:
    """Compare two states bit by bit."""
    return len(one) == len(other) and all(map(torch.equal, one, other))


def build(folder: Path,
          model: Optional[dict] = None,
          optimizer: Optional[dict] = None,
          wrapper: Optional[dict] = None,
          bad: Sequence[int] = (),
          guard: Optional[dict] = None,
          hooks: Sequence[Any] = (),
          **kwargs: Any) -> Runner:
    """Build a runner of 8 iterations of 4 samples, in order.

    Args:
        folder (Path): Work dir.
        model (dict, optional): Arguments of ``GuardedNet``.
        optimizer (dict, optional): Defaults to AdamW.
        wrapper (dict, optional): Further keys of ``optim_wrapper``.
        bad (Sequence[int]): Samples with NaN.
        guard (dict, optional): Arguments of the hook.
        hooks (Sequence[Any]): Further hooks.
        **kwargs (Any): Further arguments of ``Runner``.

    Returns:
        Runner: The runner; 2 epochs with a checkpoint each.
    """
    loader = dict(
        batch_size=4,
        num_workers=0,
        collate_fn=collate,
        sampler=dict(type='DefaultSampler', shuffle=False),
        dataset=Points(bad=bad))
    settings: Dict[str, Any] = dict(
        work_dir=str(folder),
        model=dict(type='GuardedNet', **(model or {})),
        train_dataloader=loader,
        train_cfg=dict(by_epoch=True, max_epochs=2),
        optim_wrapper=dict(
            optimizer=dict(
                optimizer or dict(type='AdamW', lr=1e-2, weight_decay=0.1)),
            **(wrapper or {})),
        default_hooks=dict(
            checkpoint=dict(type='CheckpointHook', interval=1),
            logger=dict(type='LoggerHook', interval=1)),
        custom_hooks=[FiniteGuardHook(**(guard or {})), *hooks],
        randomness=dict(seed=0),
        default_scope='mmpretrain',
        experiment_name=f'{folder.parent.name}_{folder.name}')
    return Runner(**{**settings, **kwargs})


def logged(folder: Path) -> str:
    """Return the logs of all runs of a folder."""
    return '\n'.join(x.read_text() for x in sorted(folder.glob('*/*.log')))
