"""Differences of outputs, and the order of timed calls."""
from typing import List

import pytest
import torch
from micro_models import backbone, build, classifier, recognizer
from torch import nn

from mmvideomamba.deployment import wrap
from mmvideomamba.deployment.interface import make_interface
from mmvideomamba.deployment.verify import (Verifier, difference, median_times,
                                            time_files)


def test_scores_differ_absolutely() -> None:
    """Large logits get no larger tolerance, small logits a smaller one."""
    wrapper = wrap(classifier())
    scores = torch.tensor([[-100., 3.]])
    for scale, share in ((1., 0.5), (1e-3, 5.)):
        pair = [scores * scale] * 2
        found = difference(wrapper, [x + 0.5 for x in pair], pair)
        assert found == pytest.approx(share)


def test_features_differ_in_shares() -> None:
    """A share of the largest feature is allowed."""
    wrapper = wrap(build(backbone(), 'mmaction'))
    features = torch.tensor([[-100., 3.]])
    found = difference(wrapper, [features + 0.5], [features])
    assert found == pytest.approx(0.005)


def test_nothing_wrong_passes() -> None:
    """NaN or another shape never passes a limit."""
    wrapper = wrap(classifier())
    pair = [torch.ones(1, 3), torch.ones(1, 3)]
    nan = [torch.ones(1, 3), torch.tensor([[1., float('nan'), 1.]])]
    assert difference(wrapper, pair, pair) == 0
    assert not difference(wrapper, nan, pair) <= 1e9
    assert not difference(wrapper, pair, nan) <= 1e9
    assert difference(wrapper, pair[:1], pair) == float('inf')
    assert difference(wrapper, [x.T for x in pair], pair) == float('inf')


def test_a_head_that_does_more() -> None:
    """A model whose test does more than a file can is refused."""
    model = recognizer()
    model.cls_head.average_clip = lambda scores, num_segs: scores[:1] * 0
    wrapper = wrap(model)
    with pytest.raises(ValueError, match='the test of the host gives other'):
        Verifier(model, wrapper, make_interface(wrapper))


def test_calls_take_turns() -> None:
    """Each round runs every call, after one round of warm-up."""
    order: List[str] = []
    calls = {name: lambda name=name: order.append(name) for name in 'ab'}
    found = median_times(calls, 2)
    assert ''.join(order) == 'ababab' and set(found) == {'a', 'b'}


def test_backends_beside_files() -> None:
    """Static lengths are kept; backends unable to run are left out."""
    model: nn.Module = recognizer()
    wrapper = wrap(model)
    shapes = []

    def run(x):
        shapes.append(tuple(x.shape[:2]))
        return (x, )

    interface = make_interface(wrapper, views=3)
    found = time_files(
        wrapper, dict(mine=run), interface, 1, eager=('torch', 'triton'))
    assert list(found) == ['eager torch', 'mine']
    assert set(shapes) == {(1, 3)}
