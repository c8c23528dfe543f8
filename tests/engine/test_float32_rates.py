"""Learning rates are rounded for a while, also if a step fails."""
import pytest
import torch
from torch.optim import SGD

from mmvideomamba.engine.float32_rates import float32_rates


def test_rounded_and_back() -> None:
    device_rate = torch.tensor(0.1)
    optimizer = SGD([
        dict(params=[torch.zeros(1)], lr=0.1),
        dict(params=[torch.zeros(1)], lr=device_rate)
    ])
    with pytest.raises(KeyError), float32_rates(optimizer):
        first, second = (x['lr'] for x in optimizer.param_groups)
        assert first == float(torch.tensor(0.1)) != 0.1
        assert second is device_rate
        raise KeyError
    assert [x['lr'] for x in optimizer.param_groups] == [0.1, device_rate]
