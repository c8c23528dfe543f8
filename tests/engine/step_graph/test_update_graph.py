"""Graphs of updates follow changes of the optimizer and its settings."""
from typing import Any, Callable, List

import pytest
import torch
from step_graph_run import (Repetition, StepNet, batches, graphed, train,
                            wrapper_of)
from torch import nn


def _norm(wrapper: Any) -> None:
    wrapper.clip_grad_kwargs['max_norm'] = 0.05


def _clipping(wrapper: Any) -> None:
    wrapper.clip_func = torch.nn.utils.clip_grad_value_
    wrapper.clip_grad_kwargs = dict(clip_value=0.001)


def _group(wrapper: Any) -> None:
    more = nn.Parameter(torch.ones(2))
    wrapper.optimizer.param_groups[0]['params'].append(more)


@pytest.mark.parametrize('change', [_norm, _clipping, _group])
def test_changes_are_captured_anew(change: Callable) -> None:
    models: List[Any] = []
    for graphs in (False, True):
        model = StepNet().train()
        wrapper = wrapper_of(model, clip_grad=dict(max_norm=0.1))
        step: Any = graphed(model, wrapper) if graphs else model.train_step
        train(step, wrapper, batches([6] * 9), at_6=lambda: change(wrapper))
        models.append(model)
    assert all(
        map(torch.equal, models[0].parameters(), models[1].parameters()))
    assert step.update.captures == 2 and step.update.recording is not None


def test_hooks_of_the_optimizer_run_in_each_step() -> None:
    for at in ('at_0', 'at_6'):
        model = StepNet().train()
        wrapper = wrapper_of(model)
        step = graphed(model, wrapper)
        seen: List[Any] = []

        def register() -> None:
            wrapper.optimizer.register_step_post_hook(
                lambda *_: seen.append(1))

        train(step, wrapper, batches([6] * 9), **{at: register})
        assert len(seen) == 9 - int(at[-1])
        assert step.update.reason == 'AdamW has hooks'
        assert step.losses.graphs and not step.left


def test_exchanged_step_of_the_optimizer() -> None:
    model = StepNet().train()
    wrapper = wrapper_of(model)
    wrapper.optimizer.step = wrapper.optimizer.step
    step = graphed(model, wrapper)
    train(step, wrapper, batches([6] * 6))
    assert step.update.reason == 'step of AdamW was exchanged'


class _Broken(Repetition):
    """Fails after the function, as a capture may."""

    def __init__(self, run: Callable, pool: Any = None) -> None:
        run()
        raise RuntimeError('not permitted')


def test_failed_capture_leaves_no_trace() -> None:
    model = StepNet().train()
    wrapper = wrapper_of(model)
    scaler = wrapper.loss_scaler = torch.amp.GradScaler('cpu')
    step = graphed(model, wrapper)

    def unscale() -> None:
        # As the host's wrapper for float16.
        step.work.store.show(True)
        scaler.unscale_(wrapper.optimizer)

    def unscaled_update() -> None:
        unscale()
        scaler.update()
        eager()

    step.update.record, step.update._update = _Broken, unscale
    eager, step.work.eager_update = step.work.eager_update, unscaled_update
    train(step, wrapper, batches([6] * 9))
    assert 'not permitted' in step.update.reason
    # The loss has new graphs: the generator is another object since.
    graph, = step.losses.graphs.values()
    assert graph.recording.replays == 2
