"""Work of a step: captured as eager, and without a trace after errors."""
from typing import Any, Dict, List

import pytest
import torch
from step_graph_run import StepNet, batches, wrapper_of

from mmvideomamba.engine.step_graph.work import StepWork


def prepared(model: Any) -> Any:
    return model.data_preprocessor(batches([6])[0], True)


def test_captured_losses_of_processes_are_the_same() -> None:
    found: List[Any] = []
    for distributed in (False, True):
        model = StepNet().train()
        work = StepWork(model, wrapper_of(model), distributed)
        batch = prepared(model)
        for run in (work.losses, work.captured_losses,
                    lambda x: work.attempt(x, rehearse=True)):  # noqa: B023
            torch.manual_seed(0)
            found.append(run(batch))
        assert work.store is not None
        # Both parameters of the unused layer are left out.
        assert len(work.store.parameters) == 4
    for other in found[1:]:
        assert torch.equal(found[0].values, other.values)
        assert all(map(torch.equal, found[0].gradients, other.gradients))


class _Borrowing(StepNet):

    def __init__(self) -> None:
        super().__init__()
        self.borrowed = [self.stem.bias]

    def forward(self, *args: Any, **kwargs: Any) -> Dict[str, torch.Tensor]:
        losses = super().forward(*args, **kwargs)
        losses['loss_more'] = self.borrowed[0].sum()
        return losses


def test_parameters_past_their_modules() -> None:
    model = _Borrowing().train()
    work = StepWork(model, wrapper_of(model), True)
    batch = prepared(model)
    work.losses(batch)
    with pytest.raises(RuntimeError, match='of another module'):
        work.attempt(batch, rehearse=True)
