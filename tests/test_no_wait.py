"""The mode NoWait fails where a host would wait."""
from typing import Callable

import pytest
import torch
from no_wait import HostWaits, NoWait

META = torch.device('meta')


@pytest.mark.parametrize('look', [
    lambda x: x.sum().item(),
    lambda x: x.tolist(),
    lambda x: bool(x.any()),
    lambda x: torch.equal(x, x),
    lambda x: (x > 0).nonzero(),
    lambda x: x[x > 0],
    lambda x: x.masked_select(x > 0),
    lambda x: x.index_put_((x > 0, ), torch.zeros((), device=META)),
    lambda x: x.multinomial(1),
    lambda x: x.repeat_interleave(x.long()),
    lambda x: x + x.new_zeros(3, device='cpu').to(META),
    lambda x: x.copy_(torch.zeros(3)),
    lambda x: torch.zeros(3).copy_(x),
])
def test_what_waits(look: Callable) -> None:
    with NoWait('meta'), pytest.raises(HostWaits):
        look(torch.empty(3, device=META))


def test_what_does_not_wait() -> None:
    x = torch.empty(3, device=META, requires_grad=True)
    with NoWait('meta'):
        y = x[torch.arange(2, device=META)].where(x[:2] > 0, 0.)
        (y * 2).sum().backward()
        assert torch.zeros(3).sum().item() == 0
        with pytest.raises(HostWaits):
            torch.zeros(3).to(META)
    with NoWait('meta', uploads=True):
        torch.zeros(3).to(META)
