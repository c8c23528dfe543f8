"""Changes of host state, fixed by a graph at capture, are noticed."""
import random
from typing import Any, Callable

import numpy as np
import pytest
import torch
from mmengine.logging import MessageHub
from step_graph_run import StepNet, batches, graphed, train, wrapper_of

from mmvideomamba.engine.step_graph.host_state import HostDraws, settings_of
from mmvideomamba.ops import use_backend

HERE = ('step_graph_run', 'test_host_state')


class _Drawing(StepNet):
    """Draws on the host, and multiplies the loss by the result."""

    draw: Callable[[], Any]

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        losses = super().forward(*args, **kwargs)
        return dict(loss=losses['loss_cls'] * float(type(self).draw()))


DRAWS = {
    'draws from random ': random.random,
    'draws from numpy.random': lambda: np.random.choice(3),
    'reads iter of':
    lambda: MessageHub.get_current_instance().get_info('iter'),
}


@pytest.mark.parametrize('reason', DRAWS)
def test_draws_of_a_loss_leave(reason: str) -> None:
    MessageHub.get_current_instance().update_info('iter', 3)
    kind = type('Kind', (_Drawing, ),
                dict(draw=staticmethod(DRAWS[reason]), __module__=__name__))
    models = []
    for graphs in (False, True):
        random.seed(0)
        np.random.seed(0)
        model: Any = kind().train()
        wrapper = wrapper_of(model)
        step: Any = graphed(
            model, wrapper, trusted=HERE) if graphs else model.train_step
        train(step, wrapper, batches([6] * 7))
        models.append(model)
    assert step.left and reason in step.reason
    assert all(
        map(torch.equal, models[0].parameters(), models[1].parameters()))
    assert MessageHub.get_info.__qualname__ == 'MessageHub.get_info'


def test_the_generator_of_the_cpu_is_that_of_the_device_on_a_cpu() -> None:
    for device, found in (('cpu', ''), ('meta', 'draws from torch on the '
                                        'host')):
        with HostDraws(torch.device(device)) as draws:
            torch.rand(1)
        assert draws.found == found
    with HostDraws(torch.device('meta')) as draws:
        torch.rand(1, device='meta')
    assert not draws.found


def test_settings_have_graphs_of_their_own(monkeypatch: Any) -> None:
    model = StepNet().train()
    wrapper = wrapper_of(model)
    before = settings_of(wrapper)
    with use_backend('torch'):
        assert settings_of(wrapper) != before
    with torch.autograd.set_detect_anomaly(True):
        assert settings_of(wrapper) != before
    with torch.autocast('cuda', torch.bfloat16, enabled=True):
        assert settings_of(wrapper) != before
    monkeypatch.setattr(torch.backends.cudnn, 'benchmark', True)
    changed = settings_of(wrapper)
    assert changed != before
    monkeypatch.undo()
    assert settings_of(wrapper) == before
    step = graphed(model, wrapper)
    train(
        step,
        wrapper,
        batches([6] * 12),
        at_6=lambda: monkeypatch.setattr(torch.backends.cudnn, 'benchmark',
                                         True))
    assert len(step.losses.graphs) == 2 and not step.reason
