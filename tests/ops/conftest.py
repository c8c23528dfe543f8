"""Show memory left unwritten by an op."""
from typing import Any, Callable

import pytest
import torch
from torch import Tensor


def _poisoned(make: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Fill new tensors with NaN, integers with the lowest value."""

    def allocate(*args: Any, **kwargs: Any) -> Tensor:
        tensor = make(*args, **kwargs)
        with torch.no_grad():
            if tensor.is_floating_point():
                tensor.fill_(float('nan'))
            elif tensor.dtype != torch.bool:
                tensor.fill_(torch.iinfo(tensor.dtype).min)
        return tensor

    return allocate


@pytest.fixture(autouse=True)
def poison_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fill every uninitialised tensor of the ops with NaN."""
    for owner, name in ((torch, 'empty'), (torch, 'empty_like'),
                        (Tensor, 'new_empty'), (torch, 'empty_strided')):
        monkeypatch.setattr(owner, name, _poisoned(getattr(owner, name)))
