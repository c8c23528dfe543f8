"""A device lagging behind the host, simulated on a CPU."""
from typing import Any, List, Tuple

import torch
from torch import Tensor


class LateDevice:
    """Copies to the host arrive only at a call of ``arrive``.

    Args:
        monkeypatch (MonkeyPatch): Used to place all numbers in tensors on the
            device.
    """

    def __init__(self, monkeypatch: Any) -> None:
        self.events: List['LateEvent'] = []
        self.waits = 0
        where = 'mmvideomamba.engine.late_scalars.'
        monkeypatch.setattr(where + 'on_gpu', is_number)
        monkeypatch.setattr(
            'mmvideomamba.engine.hooks.late_runtime_info_hook.on_gpu',
            is_number)
        monkeypatch.setattr(where + 'to_host', self.copy)

    def copy(self, record: Tensor) -> Tuple[Tensor, 'LateEvent']:
        """Copy, to be read after the event."""
        host = torch.full_like(record, 77)
        event = LateEvent(self, host, record.clone())
        self.events.append(event)
        return host, event

    def arrive(self, count: int) -> None:
        """Let the first copies under way arrive."""
        for event in [x for x in self.events if not x.passed][:count]:
            event.pass_by()


class LateEvent:
    """An event recorded after a copy."""

    def __init__(self, device: LateDevice, host: Tensor,
                 values: Tensor) -> None:
        self.device, self.host, self.values = device, host, values
        self.passed = False

    def pass_by(self) -> None:
        """Let the copy arrive."""
        self.host.copy_(self.values)
        self.passed = True

    def query(self) -> bool:
        """Tell whether the copy has arrived."""
        return self.passed

    def synchronize(self) -> None:
        """Wait for the copy."""
        self.device.waits += not self.passed
        self.pass_by()


def is_number(value: Any) -> bool:
    """Stand in for ``on_gpu``."""
    return isinstance(value, Tensor) and value.numel() == 1
