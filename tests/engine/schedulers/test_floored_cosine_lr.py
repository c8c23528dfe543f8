import math

import pytest
import torch

from mmvideomamba.engine.schedulers import FlooredCosineLR


def rates(epochs: float, warmup: float, length: int) -> list:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=2.)
    scheduler = FlooredCosineLR.build_iter_from_epoch(
        optimizer, T_max=epochs, warmup=warmup, epoch_length=length)
    found = []
    for _ in range(round(epochs * length)):
        found.append(optimizer.param_groups[0]['lr'])
        optimizer.step()
        scheduler.step()
    return found


@pytest.mark.parametrize('epochs, warmup, length', [(10, 1, 300), (1, 0.2, 50),
                                                    (2, 0, 20)])
def test_published_formula(epochs: int, warmup: float, length: int) -> None:
    steps, rise = epochs * length, warmup * length
    for step, found in enumerate(rates(epochs, warmup, length)):
        if step < rise:
            share = step / rise
        else:
            part = (step - rise) / (steps - rise)
            share = 0.5 * (1 + math.cos(math.pi * part))
        assert found == pytest.approx(2. * max(0.01, share))


def test_bad_warmup() -> None:
    with pytest.raises(ValueError, match=r'warmup \(2\).*T_max is 2'):
        rates(2, 2, 1)
