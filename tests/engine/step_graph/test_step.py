"""Recorded steps equal the host's steps, and are dropped after changes."""
import copy
from types import SimpleNamespace
from typing import Any, Dict, List

import numpy as np
import pytest
import torch
from mmengine.optim import OptimWrapper
from step_graph_run import StepNet, batches, graphed, train, wrapper_of
from torch import nn

from mmvideomamba.engine.guard.step_guard import StepGuard
from mmvideomamba.engine.step_graph.step import GraphedStep, wait_for_tensors

SIZES = [6] * 9 + [4] + [6] * 4


def weights(model: nn.Module) -> List[torch.Tensor]:
    return list(model.state_dict().values())


def assert_same(one: nn.Module, other: nn.Module) -> None:
    assert all(map(torch.equal, weights(one), weights(other)))


CASES: Dict[str, Dict[str, Any]] = {
    'plain': {},
    'clipped':
    dict(clip_grad=dict(max_norm=0.1)),
    'clipped by value':
    dict(clip_grad=dict(type='value', clip_value=0.01)),
    'accumulated':
    dict(accumulative_counts=3),
    'accumulated and clipped':
    dict(accumulative_counts=2, clip_grad=dict(max_norm=0.1)),
    'sgd':
    dict(optimizer=dict(kind='SGD', momentum=0.9)),
    'not fused':
    dict(optimizer=dict(kind='AdamW')),
}


@pytest.mark.parametrize('guard', [False, True], ids=['', 'guard'])
@pytest.mark.parametrize('case', CASES.values(), ids=CASES)
def test_equal_to_the_host(case: Dict[str, Any], guard: bool) -> None:
    data, logs, models = batches(SIZES), [], []
    for graphs in (False, True):
        model = StepNet(with_norm=True).train()
        wrapper = wrapper_of(model, **copy.deepcopy(case))
        wrapper.initialize_count_status(model, 0, len(SIZES))
        if guard:
            StepGuard([wrapper], torch.device('cpu')).attach()
        step: Any = graphed(model, wrapper) if graphs else model.train_step
        logs.append(train(step, wrapper, data))
        models.append(model)
    assert_same(*models)
    norms = [[log.pop('grad_norm', None) for log in run] for run in logs]
    assert logs[0] == logs[1]
    assert ('max_norm' in str(case)) == any(x is not None for x in norms[1])
    assert [p.grad for p in model.parameters()
            ] == [None] * len(list(model.parameters()))
    replays = [x.recording.replays for x in step.losses.graphs.values()]
    # The last batches of an accumulation with a rest are a graph's too.
    assert sum(replays) >= 6 and not step.left and not step.reason
    recorded = step.update.recording is not None
    fused = case.get('optimizer', dict(fused=True)).get('fused', False)
    assert recorded == (not guard and fused)


def test_update_follows_the_learning_rate_and_loaded_state() -> None:
    models = []
    for graphs in (False, True):
        model = StepNet().train()
        wrapper = wrapper_of(model)

        def reload() -> None:
            wrapper.load_state_dict(copy.deepcopy(wrapper.state_dict()))
            for group in wrapper.optimizer.param_groups:
                group['lr'] = 0.03125

        def decay() -> None:
            for group in wrapper.optimizer.param_groups:
                group['weight_decay'] = 0.5

        step: Any = graphed(model, wrapper) if graphs else model.train_step
        train(step, wrapper, batches([6] * 16), at_8=reload, at_11=decay)
        models.append(model)
    assert_same(*models)
    assert step.update.recording is not None and step.update.captures == 3


def test_gradients_of_a_checkpoint_are_added() -> None:
    models = []
    for graphs in (False, True):
        model = StepNet().train()
        wrapper = wrapper_of(model, accumulative_counts=2)
        wrapper.initialize_count_status(model, 1, 99)
        for p in model.head.parameters():
            p.grad = torch.ones_like(p)
        step: Any = graphed(model, wrapper) if graphs else model.train_step
        train(step, wrapper, batches([6] * 9))
        models.append(model)
    assert_same(*models)


def _hook(model: Any) -> None:
    model.stem.register_forward_hook(lambda *_: None)


def _exchange(model: Any) -> None:
    model.stem = copy.deepcopy(model.stem)


def _freeze(model: Any) -> None:
    model.stem.weight.requires_grad_(False)


def _rate(model: Any) -> None:
    model.drop.p = 0.5


def _move(model: Any) -> None:
    model.head.weight.data = model.head.weight.data.clone()


def _function(model: Any) -> None:
    model.activate = torch.nn.functional.gelu


def _private(model: Any) -> None:
    model._scale = 3.


def _number(model: Any) -> None:
    model.temperature = np.float32(3.)


def _item(model: Any) -> None:
    model.factors[0][0] = 3.


def _in_place(model: Any) -> None:
    model.factor.fill_(3.)


def _array(model: Any) -> None:
    model.array[1] = 3.


def _object(model: Any) -> None:
    model.schedule.value = 3.


def _new(model: Any) -> None:
    model.head.power = 2.


CHANGES = [
    _hook, _exchange, _freeze, _rate, _move, _function, _private, _number,
    _item, _in_place, _array, _object, _new
]


class _Settings(StepNet):
    """Multiplies the loss by attributes of several kinds."""

    def __init__(self) -> None:
        super().__init__()
        self.activate = torch.nn.functional.silu
        self.temperature = np.float32(2.)
        self._scale = 1.
        self.factors = [[1., None], torch.ones(1)]
        self.factor = torch.tensor(1.)
        self.array = np.ones(2)
        self.schedule = SimpleNamespace(value=1.)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        losses = super().forward(*args, **kwargs)
        self.kept = losses['size']  # a new tensor in each step
        loss = self.activate(losses['loss_cls'] * self.factor)
        scale = self._scale * self.factors[0][0] * self.schedule.value
        scale = scale * float(self.array[1]) / float(self.temperature)
        return dict(loss=loss * scale * getattr(self.head, 'power', 1.))


@pytest.mark.parametrize('change', CHANGES)
def test_changed_model_leaves(change: Any, caplog: Any) -> None:
    models = []
    for graphs in (False, True):
        model = _Settings().train()
        wrapper = wrapper_of(model)
        step: Any = graphed(
            model, wrapper,
            trusted=('step_graph_run',
                     'test_step')) if graphs else model.train_step
        found: List[int] = []

        def alter() -> None:
            found.append(len(step.losses.graphs) if graphs else 1)
            change(model)

        train(step, wrapper, batches([6] * 12), at_8=alter)
        assert found == [1]
        models.append(model)
    assert_same(*models)
    assert step.left and step.reason and not step.losses.graphs


class _Failing(StepNet):
    """Fails once, after the running statistics and some draws."""

    def forward(self, *args: Any, **kwargs: Any) -> Dict[str, torch.Tensor]:
        losses = super().forward(*args, **kwargs)
        if not isinstance(kwargs['data_samples'][0].img_path, str):
            raise KeyError('img_path')
        return losses


class _Counting(StepNet):

    def forward(self, *args: Any, **kwargs: Any) -> Dict[str, torch.Tensor]:
        self.count = getattr(self, 'count', 0) + 1
        losses = super().forward(*args, **kwargs)
        return dict(loss=losses['loss_cls'] / self.count)


class _Reading(StepNet):

    def forward(self, inputs: torch.Tensor, data_samples: Any,
                mode: str) -> Dict[str, torch.Tensor]:
        scale = float(len(data_samples[0].img_path))
        losses = super().forward(inputs, data_samples, mode)
        return dict(loss=losses['loss_cls'] * scale)


class _Switching(StepNet):

    def forward(self, inputs: torch.Tensor, data_samples: Any,
                mode: str) -> Dict[str, torch.Tensor]:
        losses = super().forward(inputs, data_samples, mode)
        if len(inputs) == 4:
            losses['loss_more'] = self.unused(inputs[:, :2]).mean()
        return losses


class _Default(StepNet):
    """Takes a number of a sample, or a default."""

    def forward(self, inputs: torch.Tensor, data_samples: Any,
                mode: str) -> Dict[str, torch.Tensor]:
        losses = super().forward(inputs, data_samples, mode)
        scale = len(data_samples) * data_samples[0].get('weight', 1.)
        return dict(loss=losses['loss_cls'] * scale)


class _Parsing(StepNet):

    def parse_losses(self, losses: Any) -> Any:
        loss, log = super().parse_losses(losses)
        return loss, {k: v.detach().numpy() for k, v in log.items()}


UNFIT = [_Counting, _Default, _Failing, _Parsing, _Reading, _Switching]


@pytest.mark.parametrize('kind', UNFIT)
def test_unfit_model_leaves(kind: type) -> None:
    models = []
    for graphs in (False, True):
        model = kind(with_norm=True).train()
        wrapper = wrapper_of(model)
        step: Any = graphed(
            model, wrapper,
            trusted=('step_graph_run',
                     'test_step')) if graphs else model.train_step
        data = batches(SIZES)
        for sample in [x for batch in data for x in batch['data_samples']]:
            sample.set_field(2., 'weight', field_type='metainfo')
        train(step, wrapper, data)
        models.append(model)
    assert_same(*models)
    assert step.left and step.reason


def test_batch_of_other_objects_leaves() -> None:
    model = StepNet().train()
    wrapper = wrapper_of(model)
    step = graphed(model, wrapper)
    batch = batches([6])[0]
    batch['data_samples'][0] = np.zeros(2)
    step.losses.work.attempt = lambda batch: batch
    assert step.losses.run(batch) is batch
    assert 'a batch holds a ndarray' in step.losses.reason


def test_log_values_of_double_precision() -> None:

    class Double(StepNet):

        def forward(self, *args: Any, **kwargs: Any) -> Any:
            losses = super().forward(*args, **kwargs)
            return dict(loss=losses['loss_cls'].double() / 3)

    logs = []
    for graphs in (False, True):
        model = Double().train()
        wrapper = wrapper_of(model)
        step: Any = graphed(
            model, wrapper,
            trusted=('step_graph_run',
                     'test_step')) if graphs else model.train_step
        logs.append(train(step, wrapper, batches([6] * 6)))
    assert logs[0] == logs[1] and step.losses.graphs


def test_saved_model_has_the_method_of_its_class(tmp_path: Any) -> None:
    model = StepNet().train()
    graphed(model, wrapper_of(model))
    torch.save(model, tmp_path / 'model.pth')
    loaded = torch.load(tmp_path / 'model.pth', weights_only=False)
    assert loaded.train_step.__func__ is StepNet.train_step
    assert loaded.train_step.__self__ is loaded
    assert_same(model, loaded)


def _another_step(wrapper: Any) -> None:
    wrapper.step = wrapper.step


def _another_scaler(wrapper: Any) -> None:
    wrapper.loss_scaler = torch.amp.GradScaler('cpu')


@pytest.mark.parametrize('change, reason', [
    (_another_step, 'step of the optimizer wrapper was exchanged'),
    (_another_scaler, 'the loss scaler was exchanged'),
])
def test_changed_wrapper_leaves(change: Any, reason: str) -> None:
    model = StepNet().train()
    wrapper = wrapper_of(model)
    step = graphed(model, wrapper)
    train(step, wrapper, batches([6] * 8), at_6=lambda: change(wrapper))
    assert step.left and step.reason == reason


def test_exchanged_loss_scale_leaves() -> None:
    model = StepNet().train()
    wrapper = wrapper_of(model)
    wrapper.loss_scaler = torch.amp.GradScaler('cpu')
    step = graphed(model, wrapper)
    assert step.work.scaler is wrapper.loss_scaler

    def other() -> None:
        wrapper.loss_scaler._scale = wrapper.loss_scaler._scale * 2

    train(step, wrapper, batches([6] * 8), at_6=other)
    assert step.reason == 'the loss scaler was exchanged'


def test_exchanged_method_leaves() -> None:
    model = StepNet().train()
    wrapper = wrapper_of(model)
    step = graphed(model, wrapper)

    def change() -> None:
        model.parse_losses = model.parse_losses

    train(step, wrapper, batches([6] * 8), at_6=change)
    assert step.reason == 'parse_losses of the model was exchanged'


def test_unknown_package_and_wrapper() -> None:
    model = StepNet().train()
    step = graphed(model, wrapper_of(model), trusted=())
    assert step.left and 'unknown classes' in step.reason

    class Other(OptimWrapper):
        pass

    step = graphed(StepNet(), wrapper_of(model, Other))
    assert 'Other is neither' in step.reason
    with pytest.raises(ValueError, match="mode='on' .*Other is neither"):
        graphed(StepNet(), wrapper_of(model, Other), must=True)
    model = StepNet()
    model.not_capturable = 'it reads files'
    assert graphed(model,
                   wrapper_of(model)).reason == 'StepNet: it reads files'


class _OwnStep(StepNet):

    def train_step(self, data: Any, optim_wrapper: Any) -> Any:
        return super().train_step(data, optim_wrapper)


def test_model_with_a_step_of_its_own() -> None:
    model = _OwnStep()
    step = graphed(
        model, wrapper_of(model), trusted=('step_graph_run', 'test_step'))
    assert step.reason == '_OwnStep has a train_step of its own'
    model = StepNet()
    model.forward = model.forward
    step = graphed(model, wrapper_of(model))
    assert step.reason == 'forward of the model was exchanged'


def test_sparse_gradients_leave() -> None:

    class Sparse(StepNet):

        def __init__(self) -> None:
            super().__init__()
            self.table = nn.Embedding(3, 3, sparse=True)

        def forward(self, inputs: torch.Tensor, data_samples: Any,
                    mode: str) -> Dict[str, torch.Tensor]:
            found = super().forward(inputs, data_samples, mode)
            rows = self.table(torch.zeros(1, dtype=torch.long))
            return dict(loss=found['loss_cls'] + rows.sum())

    model = Sparse().train()
    wrapper = wrapper_of(model, optimizer=dict(kind='SGD'))
    step = graphed(model, wrapper, trusted=('step_graph_run', 'test_step'))
    train(step, wrapper, batches([6] * 2))
    assert 'gradients are sparse' in step.reason and step.left


def test_release() -> None:
    model = StepNet().train()
    wrapper = wrapper_of(model)
    step = graphed(model, wrapper)
    train(step, wrapper, batches([6] * 6))
    assert step.losses.graphs
    step.release()
    assert not step.losses.graphs and step.left
    train(step, wrapper, batches([6]))


def test_many_layouts() -> None:
    model = StepNet().train()
    wrapper = wrapper_of(model)
    step = graphed(model, wrapper, warm_up=2, max_graphs=2)
    train(step, wrapper, batches([4, 5, 6] * 4))
    assert len(step.losses.graphs) == 2 and not step.left


def test_copy_of_the_model_steps_by_itself() -> None:
    model = StepNet().train()
    graphed(model, wrapper_of(model))
    copied = copy.deepcopy(model)
    wrapper = wrapper_of(copied)
    before = copied.head.weight.clone()
    train(copied.train_step, wrapper, batches([6]))
    assert not torch.equal(before, copied.head.weight)


class _OnGPU(torch.Tensor):
    is_cuda = True  # type: ignore[assignment]

    def record_stream(self, stream: Any) -> None:
        stream.read.append(self)


def test_batches_of_a_gpu_are_waited_for() -> None:
    waits: List[Any] = []
    side = SimpleNamespace(wait_stream=waits.append, read=[])
    wait_for_tensors(batches([2])[0], side, 'here')
    assert not waits and not side.read
    clip = torch.zeros(2).as_subclass(_OnGPU)
    wait_for_tensors(dict(inputs=[clip], other=object()), side, 'here')
    assert waits == ['here'] and side.read[0] is clip


@pytest.mark.parametrize('sums, slow', [(0.009, False), (0.02, True)])
@pytest.mark.parametrize('starts', [[1., 1.1, 9.], [1., 9., 9.1]])
def test_slow_sums_are_held_against_a_step(
        starts: List[float], sums: float, slow: bool,
        monkeypatch: pytest.MonkeyPatch) -> None:
    """The call of the capture takes seconds, and is not the measure."""
    module = 'mmvideomamba.engine.step_graph.step'
    step: Any = object.__new__(GraphedStep)
    step._times = starts
    step.work = SimpleNamespace(
        device=torch.device('cpu'),
        store=SimpleNamespace(flat={0: torch.zeros(2)}))
    clock = iter([0., 1., 2., 2. + sums])
    monkeypatch.setattr(f'{module}.time.perf_counter', lambda: next(clock))
    monkeypatch.setattr(f'{module}.dist.get_world_size', lambda: 2)
    monkeypatch.setattr('torch.distributed.all_reduce', lambda x: x)
    reason = step._slow_sums()
    assert bool(reason) == slow
    assert not slow or '20.0 ms of a step of 100.0 ms' in reason
