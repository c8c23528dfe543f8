"""A step is repeated exactly, eagerly, and the fault is named."""
from pathlib import Path
from typing import Any, List

import pytest
import torch
from guarded_run import GuardedNet, Points, build, collate
from mmengine.hooks import Hook
from mmengine.optim import AmpOptimWrapper, OptimWrapper

from mmvideomamba.engine.guard.first_fault import losses_of
from mmvideomamba.engine.guard.generators import generator_states
from mmvideomamba.engine.guard.replay import Precision, Step, eager, repeat

PLAIN = Precision()


def step_of(*bad: int, **kwargs: Any) -> Step:
    points = Points(bad=bad)
    batch = collate([points[i] for i in range(4)])
    return Step(1, batch, generator_states(), **kwargs)


def test_step_repeats_bit_by_bit(tmp_path: Path) -> None:
    """Dropout repeats the draws of the training."""

    class Repeat(Hook):

        priority = 'ABOVE_NORMAL'
        seen: List[Any] = []

        def before_train_iter(self, runner: Any, *args: Any,
                              **kwargs: Any) -> None:
            guard = next(x for x in runner.hooks if hasattr(x, 'guard'))
            states = generator_states()
            self.seen.append(repeat(runner.model, guard.step, PLAIN).losses)
            for parameter in runner.model.parameters():
                parameter.grad = None
            torch.set_rng_state(states['torch'])

        def after_train_iter(self, runner: Any, outputs: Any,
                             **kwargs: Any) -> None:
            assert losses_of(outputs) == self.seen[-1]

    build(tmp_path, hooks=[Repeat()]).train()
    assert len(Repeat.seen) == 8
    assert len({x['loss'] for x in Repeat.seen}) == 8


def test_weights_stay() -> None:
    model = GuardedNet()
    before = [x.clone() for x in model.parameters()]
    replay = repeat(model, step_of(), PLAIN)
    assert not replay.finding.found and replay.module == ''
    assert 'does not reproduce' in replay.finding.text
    assert all(map(torch.equal, before, model.parameters()))


def test_bad_sample_comes_before_outputs() -> None:
    replay = repeat(GuardedNet(), step_of(1, 2), PLAIN)
    assert replay.finding.text == (
        'the batch held bad values before the forward: 1.png (label 1), '
        '2.png (label 0)')
    assert replay.finding.samples == (1, 2)


def test_bad_weight_comes_first() -> None:
    model = GuardedNet()
    model.head.weight.data[0, 0] = float('nan')
    replay = repeat(model, step_of(1), PLAIN)
    assert replay.module == 'head'
    assert 'parameter head.weight was bad before' in replay.finding.text


def test_gradient_that_overflows_by_the_scale() -> None:
    big = repeat(GuardedNet(), step_of(scale=torch.tensor(3e38)), PLAIN)
    assert not big.finding.found  # the gradients are below 1
    model = GuardedNet()
    model.head.register_forward_hook(lambda *args: args[-1] * 100)
    big = repeat(model, step_of(scale=torch.tensor(3e38)), PLAIN)
    assert big.finding.found and 'gradient' in big.finding.text
    assert not repeat(model, step_of(), PLAIN).finding.found


def test_compiled_step_is_repeated_uncompiled() -> None:
    model = GuardedNet(fault='output', iterations=[1])

    def compiled(*args: Any) -> None:
        raise AssertionError('the compiled step is run')

    model.train_step = compiled
    assert repeat(model, step_of(), PLAIN).module == 'body'
    calls = []

    @torch.compile(backend='eager')
    def function(x: torch.Tensor) -> torch.Tensor:
        calls.append(torch.compiler.is_compiling())
        return x + 1

    with eager():
        function(torch.ones(1))
    assert calls == [False]


def test_mixed_precision() -> None:
    model = GuardedNet()
    seen = []
    model.body.register_forward_hook(lambda *args: seen.append(args[-1].dtype))
    repeat(model, step_of(), Precision(True, 'bfloat16'))
    assert seen == [torch.bfloat16]
    assert Precision.of(object()) == Precision(False, None)
    wrapper = AmpOptimWrapper.__new__(AmpOptimWrapper)
    OptimWrapper.__init__(wrapper, torch.optim.SGD(model.parameters(), lr=0.1))
    wrapper.cast_dtype = torch.float16
    assert Precision.of(wrapper) == Precision(True, 'float16')
    wrapper.cast_dtype = None
    assert Precision.of(wrapper) == Precision(True, None)


@pytest.mark.parametrize('kind', ['backward', 'dict'])
def test_other_train_steps(kind: str) -> None:
    """The wrapper can be used in all the ways of the host."""

    class Other(GuardedNet):

        def train_step(self, data: Any, optim_wrapper: Any) -> Any:
            wrapper = optim_wrapper['a'] if kind == 'dict' else optim_wrapper
            with wrapper.optim_context(self):
                losses = self(**data, mode='loss')
            wrapper.backward(wrapper.scale_loss(losses['loss_cls']))
            if wrapper.should_update():
                wrapper.step()
            wrapper.zero_grad()
            return losses

    model = Other(fault='gradient', iterations=[1])
    assert repeat(model, step_of(), PLAIN).module == 'body'
