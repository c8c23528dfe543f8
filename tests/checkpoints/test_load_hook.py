"""The load hook gives a module its own part of a state dict, and no more."""
from typing import Any, List

import torch
from torch import nn

from mmvideomamba.checkpoints import Change, register_load_hook


class Doubled(nn.Linear):
    """A module with files of half the values of the weights."""

    def __init__(self) -> None:
        super().__init__(2, 2)
        self.prefixes: List[str] = []
        register_load_hook(self)

    def fit_state_dict(self, state_dict: Any, prefix: str) -> Any:
        self.prefixes.append(prefix)
        fitted = {k: 2 * v for k, v in state_dict.items() if k != 'extra'}
        return fitted, [Change('dropped', 'extra', 'of no use')]


def test_part_of_a_model(mm_log: List[str]) -> None:
    model = nn.ModuleDict(dict(a=Doubled(), b=nn.Linear(2, 2)))
    state = {k: torch.ones_like(v) for k, v in model.state_dict().items()}
    before = dict(state, **{'a.extra': torch.ones(1)})
    model.load_state_dict(before)
    assert (model['a'].weight == 2).all() and (model['b'].weight == 1).all()
    assert model['a'].prefixes == ['a.']
    assert mm_log == ['VideoMamba checkpoint:', 'dropped   extra of no use']
    assert 'a.extra' in before  # the caller's dict stays


def test_module_alone() -> None:
    model = Doubled()
    model.load_state_dict(dict(weight=torch.ones(2, 2), bias=torch.ones(2)))
    assert model.prefixes == [''] and (model.bias == 2).all()
