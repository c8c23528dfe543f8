"""Training steps of a small model, by the host and by recordings."""
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Sequence

import numpy as np
import torch
from mmengine.model import BaseModel, MMDistributedDataParallel
from mmengine.optim import OptimWrapper
from mmpretrain.structures import DataSample
from torch import nn

from mmvideomamba.engine.step_graph import step as step_module
from mmvideomamba.engine.step_graph.step import GraphedStep


class Repetition:
    """Stand-in for a recording on a CPU: runs the function in each replay."""

    def __init__(self,
                 run: Callable[[], Any],
                 pool: Optional[Any] = None) -> None:
        self.run = run
        self.replays = 0
        self.result: Any = None

    def replay(self) -> None:
        """Run, and keep the tensors of the first result."""
        self.replays += 1
        new = self.run()
        if self.result is None:
            self.result = new
        elif isinstance(new, torch.Tensor):
            self.result.copy_(new)
        elif new is not None:
            self.result.values.copy_(new.values)
            for old, gradient in zip(self.result.gradients, new.gradients):
                old.copy_(gradient)

    def pool(self) -> None:
        """Return no memory."""


class StepNet(BaseModel):
    """A small model with a part without a loss."""

    def __init__(self, with_norm: bool = False) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.stem = nn.Linear(4, 8)
        self.norm = nn.BatchNorm1d(8) if with_norm else nn.Identity()
        self.drop = nn.Dropout(0.3)
        self.head = nn.Linear(8, 3)
        self.unused = nn.Linear(2, 2)

    def forward(self, inputs: torch.Tensor, data_samples: Any,
                mode: str) -> Dict[str, torch.Tensor]:
        """Compute a loss."""
        x = self.head(self.drop(self.norm(self.stem(inputs)).relu()))
        labels = torch.stack([s.gt_label for s in data_samples]).flatten()
        loss = nn.functional.cross_entropy(x, labels)
        return dict(loss_cls=loss, size=x.detach().square().mean())


def batches(sizes: Sequence[int], device: str = 'cpu') -> List[dict]:
    """Make batches of the given sizes."""
    rng = torch.Generator().manual_seed(1)
    found = []
    for size in sizes:
        samples = []
        for _ in range(size):
            sample = DataSample(metainfo=dict(img_path='x.png'))
            sample.set_gt_label(int(torch.randint(3, (1, ), generator=rng)))
            samples.append(sample)
        found.append(
            dict(
                inputs=torch.randn(size, 4, generator=rng),
                data_samples=samples))
    return found


def optimizer_of(model: nn.Module,
                 kind: str = 'AdamW',
                 **settings: Any) -> torch.optim.Optimizer:
    """Make an optimizer with a group for each parameter."""
    groups = [
        dict(params=[p], lr=2**-6 if p.dim() > 1 else 2**-5)
        for p in model.parameters()
    ]
    return getattr(torch.optim, kind)(groups, lr=1e-2, **settings)


def wrapper_of(model: nn.Module,
               kind: type = OptimWrapper,
               optimizer: Optional[dict] = None,
               **settings: Any) -> Any:
    """Make an optimizer wrapper."""
    wrapper = kind(
        optimizer=optimizer_of(model, **(optimizer or dict(fused=True))),
        **settings)
    return wrapper


def train(step: Callable[..., Dict[str, torch.Tensor]], wrapper: Any,
          data: Sequence[dict], **changes: Callable[[], Any]) -> List[dict]:
    """Train; ``at_3`` is called before step 3."""
    logs = []
    for i, batch in enumerate(data):
        torch.manual_seed(100 + i)
        for group in wrapper.optimizer.param_groups:
            # A number of float32, as the device has learning rates.
            group['lr'] = float(np.float32(group['lr'] * 0.9))
        if f'at_{i}' in changes:
            changes[f'at_{i}']()
        out = step(dict(batch), optim_wrapper=wrapper)
        logs.append({
            k: float(torch.as_tensor(v).detach())
            for k, v in out.items()
        })
    return logs


def graphed(model: Any, wrapper: Any, **options: Any) -> GraphedStep:
    """Stand in for the training step of a model, on a CPU."""
    options = dict(dict(trusted=('step_graph_run', )), **options)
    if not torch.cuda.is_available():
        options.setdefault('record', Repetition)
    step = GraphedStep(model, model.train_step, wrapper, **options)
    model.train_step = step
    return step


def train_on_rank(rank: int,
                  folder: str,
                  port: int,
                  device: str,
                  backend: str = 'gloo') -> None:
    """Train on a process of two, by the host and by recordings.

    Args:
        rank (int): Of the process.
        folder (str): Gets the weights and reasons, as ``RANK.pth``.
        port (int): Free.
        device (str): 'cpu' or 'cuda'. Processes share a single GPU.
        backend (str): 'gloo', or 'nccl' with a GPU for each process.
            Defaults to 'gloo'.
    """
    torch.set_num_threads(1)
    card = rank % max(1, torch.cuda.device_count())
    if device == 'cuda':
        torch.cuda.set_device(card)
    torch.distributed.init_process_group(
        backend,
        init_method=f'tcp://127.0.0.1:{port}',
        rank=rank,
        world_size=2)
    found = {}
    for name in ('host', 'graphs', 'hook', 'unfit', 'failed', 'slow'):
        net = StepNet().train().to(device)
        del net.unused  # a wrapper of processes wants each in the loss
        model = MMDistributedDataParallel(
            net,
            device_ids=[card] if device == 'cuda' else None,
            broadcast_buffers=False)
        wrapper = wrapper_of(
            model, accumulative_counts=2, clip_grad=dict(max_norm=0.1))
        step: Any = model.train_step
        if name == 'unfit' and rank == 0:
            net.stem.register_forward_hook(lambda *_: None)
        # How long sums take is chance here.
        step_module.MOST_OF_SUMS = -1. if name == 'slow' else 1e9
        if name != 'host':
            step = graphed(model, wrapper)
        if name == 'failed' and rank == 0:
            step.reason = 'a reason'
        data = batches([6] * 9 + [4 + 2 * rank] + [6] * 6)
        # Processes have different samples.
        for batch in data:
            batch['inputs'] += rank

        def hook() -> None:
            if name == 'hook' and rank == 0:
                net.stem.register_forward_hook(lambda *_: None)

        train(step, wrapper, data, at_11=hook)
        found[name] = dict(
            weights=[p.detach().cpu() for p in net.parameters()],
            left=getattr(step, 'left', None),
            reason=getattr(step, 'reason', None),
            graphs=len(step.losses.graphs) if hasattr(step, 'losses') else 0)
    torch.save(found, Path(folder, f'{rank}.pth'))
    torch.distributed.destroy_process_group()


def check_ranks(folder: Path) -> None:
    """Check the results of ``train_on_rank``."""
    one, other = (torch.load(folder / f'{rank}.pth') for rank in range(2))
    for found in (one, other):
        for name, part in found.items():
            assert all(
                map(torch.equal, part['weights'],
                    one['host']['weights'])), name
    for found in (one, other):
        assert found['graphs']['graphs'] and not found['graphs']['reason']
        # A reason of a process at the start is a reason for all.
        for name in ('unfit', 'failed', 'slow'):
            assert found[name]['left'] and not found[name]['graphs'], name
        assert 'sum of the gradients' in found['slow']['reason']
    # After the processes have agreed, one process goes on without graphs.
    assert one['hook']['reason'] and not one['hook']['left']
    assert other['hook']['graphs'] and not other['hook']['reason']
