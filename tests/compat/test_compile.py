"""``compile = True`` compiles the model, not the optimizer."""
import logging
from types import SimpleNamespace

import torch
from mmengine.model import BaseModel
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner


class Toy(BaseModel):
    """A linear layer with a loss."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(2, 1)

    def forward(self, inputs, data_samples=None, mode='loss') -> dict:
        return dict(loss=self.linear(inputs).square().mean())


def test_optimizer_stays_out_of_the_graph() -> None:
    graphs = []

    def record(graph, example_inputs):
        graphs.append(str(graph.graph))
        return graph.forward

    model = Toy()
    optim = OptimWrapper(torch.optim.AdamW(model.parameters(), lr=0.1))
    runner = SimpleNamespace(
        cfg=dict(compile=dict(backend=record)),
        model=model,
        logger=logging.getLogger(__name__))
    Runner._maybe_compile(runner, 'train_step')
    before = model.linear.weight.detach().clone()
    model.train_step(dict(inputs=torch.ones(3, 2)), optim)
    assert graphs and any('linear' in graph for graph in graphs)
    assert not any('foreach' in g or 'addcdiv' in g for g in graphs)
    assert not torch.equal(model.linear.weight, before)


def test_without_compile_nothing_happens() -> None:
    step = object()
    runner = SimpleNamespace(cfg={}, model=SimpleNamespace(step=step))
    Runner._maybe_compile(runner, 'step')
    assert runner.model.step is step
