"""The switch of CUDA graphs: on a CPU there are none."""
import functools
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from step_graph_run import Repetition, StepNet, batches, train, wrapper_of

from mmvideomamba.engine.hooks import CUDAGraphHook, cuda_graph_hook
from mmvideomamba.engine.step_graph.step import GraphedStep
from mmvideomamba.user_error import UserError

CUDA = torch.device('cuda')


def runner() -> Any:
    model = StepNet().train()
    return SimpleNamespace(model=model, optim_wrapper=wrapper_of(model))


@pytest.mark.parametrize('mode', ['auto', 'off'])
def test_cpu_trains_as_before(mode: str) -> None:
    one = runner()
    CUDAGraphHook(mode).before_train(one)
    assert 'train_step' not in vars(one.model)


def test_graphs_asked_for_on_a_cpu() -> None:
    with pytest.raises(
            UserError,
            match="mode='on' of CUDAGraphHook: the model is on the cpu, not "
            "on a CUDA device; mode='auto' trains without CUDA graphs then"):
        CUDAGraphHook('on').before_train(runner())


@pytest.mark.parametrize('arguments, message', [
    (dict(mode='always'), "mode of CUDAGraphHook must be one of "
     "['auto', 'on', 'off'], but is 'always'"),
    (dict(warm_up=1), 'warm_up of CUDAGraphHook must be an int of at least '
     '2, but is 1'),
    (dict(max_graphs='4'), 'max_graphs of CUDAGraphHook must be an int of at '
     "least 1, but is '4'"),
])
def test_wrong_arguments(arguments: dict, message: str) -> None:
    with pytest.raises(UserError) as error:
        CUDAGraphHook(**arguments)
    assert str(error.value) == message


def test_amd_gpus_train_as_before(monkeypatch: Any, mm_log: Any) -> None:
    one = runner()
    monkeypatch.setattr(torch.version, 'hip', '6.4')
    one.model.parameters = lambda: iter([SimpleNamespace(device=CUDA)])
    CUDAGraphHook().before_train(one)
    assert 'train_step' not in vars(one.model)
    assert mm_log[-1] == ('training steps run without CUDA graphs: graphs of '
                          'AMD GPUs were not tried')
    with pytest.raises(UserError, match="mode='on' .*AMD"):
        CUDAGraphHook('on').before_train(one)


def test_step_is_replaced_and_given_back(monkeypatch: Any) -> None:
    monkeypatch.setattr(cuda_graph_hook, '_device_reason', lambda device: '')
    hook, one = CUDAGraphHook(trusted=['step_graph_run']), runner()
    hook.before_train(one)
    step = one.model.train_step
    assert isinstance(step, GraphedStep)
    step.losses.record = step.update.record = Repetition
    train(step, one.optim_wrapper, batches([6] * 6))
    assert step.losses.graphs and step.update.recording is not None
    hook.after_train(one)
    assert 'train_step' not in vars(one.model)
    assert one.model.train_step.__func__ is StepNet.train_step


def test_steps_of_other_hooks(monkeypatch: Any) -> None:
    monkeypatch.setattr(cuda_graph_hook, '_device_reason', lambda runner: '')
    hook, one = CUDAGraphHook(trusted=['step_graph_run']), runner()
    before = one.model.train_step = functools.partial(one.model.train_step)
    hook.before_train(one)
    assert 'train_step of the model was exchanged' in one.model.train_step.\
        reason
    hook.after_train(one)
    assert one.model.train_step is before
    # A hook with a wrapper around the graphs.
    del one.model.train_step
    hook.before_train(one)
    step = one.model.train_step
    assert not step.reason
    around = one.model.train_step = functools.partial(step)
    hook.after_train(one)
    assert one.model.train_step is around and step.left
    hook.after_train(one)
