"""Changes of attributes other than plain values are noticed."""
import copy
import functools
import random
from types import SimpleNamespace
from typing import Any, Callable, Dict, Tuple

import numpy as np
import pytest
import torch
from torch import nn

from mmvideomamba.models.backbones.layer_table import LayerTable

VALUES: Dict[str, Tuple[Any, Callable[[Any], Any]]] = {
    'private': (3, lambda m: setattr(m, '_value', 4)),
    'function': (abs, lambda m: setattr(m, '_value', max)),
    'partial': (functools.partial(max, 1),
                lambda m: setattr(m, '_value', functools.partial(max, 1))),
    'tensor': (torch.ones(2), lambda m: m._value.zero_()),
    'other tensor':
    (torch.ones(1), lambda m: setattr(m, '_value', torch.ones(1))),
    'device tensor': (torch.ones(2, device='meta'),
                      lambda m: setattr(m, '_value', m._value.clone())),
    'array': (np.ones(2), lambda m: np.copyto(m._value, 0)),
    'set': ({1, 2}, lambda m: m._value.add(3)),
    'list': ([1, [abs]], lambda m: m._value[1].append(2)),
    'object': (SimpleNamespace(x=[1]), lambda m: m._value.x.append(2)),
    'python': (random.Random(0), lambda m: m._value.random()),
    'numpy': (np.random.RandomState(0), lambda m: m._value.rand()),
    'numpy, new': (np.random.default_rng(0), lambda m: m._value.random()),
    'torch': (torch.Generator(), lambda m: torch.rand(1, generator=m._value)),
    'gone': (abs, lambda m: delattr(m, '_value')),
}


@pytest.mark.parametrize('case', VALUES)
def test_a_change(case: str) -> None:
    value, change = VALUES[case]
    model = nn.Sequential(nn.Identity(), nn.Dropout())
    model[0]._value = copy.deepcopy(value)
    marks = LayerTable(model, training=True).other_attributes()
    assert not marks.changed()
    change(model[0])
    assert '0' in marks.changed()


def test_new_attribute() -> None:
    model = nn.Sequential(nn.Identity())
    marks = LayerTable(model).other_attributes()
    model.more = 1
    assert marks.changed() == 'the set of attributes of the model'


def test_results_of_layers_do_not_count() -> None:
    model: Any = nn.Sequential(nn.Identity())
    model[0].result, model[0].kept = torch.ones(1), abs
    first = LayerTable(model).other_attributes()
    model[0].result, model[0].late = torch.ones(1), abs
    model[0]._count = 1
    marks = LayerTable(model).other_attributes()
    marks.settle(first)
    model[0].result, model[0].late = torch.ones(1), max
    assert not marks.changed()
    model[0]._count = 2
    assert marks.changed() == '0._count'
    model[0]._count, model[0].kept = 1, max
    assert marks.changed() == '0.kept'


def test_large_containers_are_not_searched() -> None:
    model: Any = nn.Identity()
    model._words = [abs] * 2000
    marks = LayerTable(model).other_attributes()
    model._words[0] = max
    assert not marks.changed()
    model._words = list(model._words)
    assert marks.changed() == '_words'
