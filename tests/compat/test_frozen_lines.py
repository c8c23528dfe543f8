"""All frozen parameters are one line of the log."""
from typing import List, Set

from mmengine.optim import build_optim_wrapper
from torch import nn

from mmvideomamba.compat import frozen_lines


class Model(nn.Module):
    """A frozen teacher, and a backbone with a frozen stage."""

    def __init__(self) -> None:
        super().__init__()
        self.teacher = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
        self.backbone = nn.Module()
        self.backbone.layers = nn.ModuleList([nn.Linear(2, 2)] * 1)
        self.head = nn.Linear(2, 2)
        self.scale = nn.Parameter(self.head.bias[:1].detach())
        for frozen in (self.teacher, self.backbone, self.scale):
            frozen.requires_grad_(False)


def build(model: nn.Module) -> Set[int]:
    wrapper = build_optim_wrapper(
        model,
        dict(
            optimizer=dict(type='SGD', lr=0.1),
            paramwise_cfg=dict(bias_lr_mult=2.)))
    return {id(p) for group in wrapper.param_groups for p in group['params']}


def test_one_line(mm_log: List[str]) -> None:
    model = Model()
    trained = build(model)
    kept = [n for n, p in model.named_parameters() if id(p) in trained]
    assert kept == ['head.weight', 'head.bias']
    line, = [line for line in mm_log if 'requires_grad' in line]
    assert line == (
        '7 parameters are frozen (requires_grad=False) and left out of the '
        'optimizer, from scale to backbone.layers.0.bias: scale (1), teacher '
        '(4), backbone.layers (2)')
    assert any('paramwise_options' in line for line in mm_log)


def test_nothing_frozen(mm_log: List[str]) -> None:
    build(nn.Linear(2, 2))
    assert not [line for line in mm_log if 'frozen' in line]


def test_cause() -> None:
    assert 'frozen parameter' in frozen_lines.WORKAROUND.cause()
