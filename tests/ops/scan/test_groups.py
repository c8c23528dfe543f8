import re
from typing import List, Optional, Tuple

import pytest
import torch
from torch import Tensor

from mmvideomamba.ops import selective_scan
from mmvideomamba.ops.scan.groups import check_groups, same_groups, scan_groups

NAMES = ('u', 'delta', 'A', 'B', 'C', 'D', 'z', 'delta_bias')


def grouped(*groups: int) -> List[Tensor]:
    """Return weights (1, 2, g, 3) for each g; 0 stands for (1, 2, 3)."""
    return [torch.randn(1, 2, *([g] if g else []), 3) for g in groups]


@pytest.mark.parametrize('groups', [(0, 0), (1, 0), (2, 6), (6, 3), (0, 6)])
def test_groups_that_divide(groups):
    check_groups(*grouped(*groups), 6)
    check_groups(torch.zeros(6, 3), *grouped(groups[1]), 6)


@pytest.mark.parametrize(
    'groups,message',
    [((2, 3), 'B has 2 groups and C 3: one number must divide the other'),
     ((4, 0), 'B has 4 groups, but 4 does not divide the 6 channels'),
     ((1, 5), 'C has 5 groups, but 5 does not divide the 6 channels')])
def test_groups_that_do_not_divide(groups, message):
    B, C = grouped(*groups)
    with pytest.raises(ValueError, match=re.escape(message)):
        check_groups(B, C, 6)
    u = torch.zeros(1, 2, 6)
    with pytest.raises(ValueError, match=re.escape(message)):
        selective_scan(u, u, -torch.ones(6, 3), B, C)


def test_the_coarser_weight_is_repeated():
    B, C = grouped(2, 6)
    finer, same = same_groups(B, C)
    assert torch.equal(same, C)
    for i in range(6):
        assert torch.equal(finer[:, :, i], B[:, :, i // 3])
    assert same_groups(*grouped(0, 2))[0].shape == (1, 2, 2, 3)
    plain = grouped(0, 0)
    assert same_groups(*plain)[0] is plain[0]
    constant = torch.zeros(6, 3)
    assert same_groups(constant, C) == (constant, C)


def test_each_group_has_its_channels():
    calls = []

    def note(*arguments: object) -> Tuple[Tensor, Tensor]:
        calls.append(arguments)
        return arguments[0] * len(calls), arguments[2][None] * len(calls)

    u, delta = torch.randn(2, 1, 2, 6)
    A, constant = torch.randn(2, 6, 3)
    (C, ), D = grouped(2), torch.randn(6)
    missing: Optional[Tensor] = None
    y, last = scan_groups(note, u, delta, A, constant, C, D, missing, missing,
                          True, False)
    assert torch.equal(y, torch.cat([u[..., :3], u[..., 3:] * 2], -1))
    assert torch.equal(last, torch.cat([A[:3], A[3:] * 2])[None])
    second = dict(zip(NAMES, calls[1]))
    assert torch.equal(second['delta'], delta[..., 3:])
    assert torch.equal(second['B'], constant[3:])
    assert torch.equal(second['C'], C[:, :, 1])
    assert torch.equal(second['D'], D[3:])
    assert second['z'] is second['delta_bias'] is None
    assert calls[1][8:] == (True, False)
