"""Values to log from a GPU, read without waiting."""
from collections import deque
from typing import Any, Deque, Dict, List, Optional, Tuple

import torch
from mmengine.logging import HistoryBuffer, MessageHub
from torch import Tensor

from mmvideomamba.engine.guard.verdicts import BEHIND, to_host


def on_gpu(value: Any) -> bool:
    """Tell whether a value to log is a number on a GPU.

    Args:
        value (Any): Number, array or tensor.

    Returns:
        bool: False for a tensor of several numbers, which the hub refuses.
    """
    return isinstance(value, Tensor) and value.is_cuda and value.numel() == 1


class LateMessageHub(MessageHub):
    """A message hub for values of a GPU, taken up to 4 iterations late.

    Values wait in line for a copy on the host. Every reader of the values
    waits for the device: the loggers, a checkpoint, a hook. So nobody sees a
    history with values missing, and nobody else waits.

    The class has no constructor: ``take_over`` changes the class of a hub,
    and ``give_back`` changes back.
    """

    _line: Deque[Tuple[Dict[str, Any], List['_Copy']]]

    def add_late(self, values: Dict[str, Any]) -> None:
        """Take the values of an iteration, maybe under way.

        Args:
            values (dict[str, Any]): Number, array or tensor by key. Tensors
                on a GPU may be overwritten after the call.
        """
        numbers = {
            key: None if on_gpu(value) else self._get_valid_value(value)
            for key, value in values.items()
        }
        new = not self._log_scalars.keys() >= values.keys()
        self._line.append((numbers, _copies(values)))
        if new:
            # Logs list the histories in the order of their beginnings.
            self.settle()
        while self._line:
            copies = self._line[0][1]
            arrived = all(x.event is None or x.event.query() for x in copies)
            if not arrived and len(self._line) <= BEHIND:
                break
            self._take_first()

    def settle(self) -> None:
        """Wait for the values of all iterations."""
        while self._line:
            self._take_first()

    def _take_first(self) -> None:
        """Wait for the values of the first iteration in the line."""
        numbers, copies = self._line.popleft()
        for copy in copies:
            if copy.event is not None:
                copy.event.synchronize()
            numbers.update(zip(copy.keys, copy.host.tolist()))
        for key, number in numbers.items():
            super().update_scalar(key, number)

    def _awaits(self, key: str) -> bool:
        return any(key in numbers for numbers, _ in self._line)

    @property
    def log_scalars(self) -> Any:
        """All histories, complete."""
        self.settle()
        return self._log_scalars

    def get_scalar(self, key: str) -> HistoryBuffer:
        """Get a history, complete.

        Args:
            key (str): Key of the history.

        Returns:
            HistoryBuffer: The history.

        Raises:
            KeyError: If there is none.
        """
        if key in self._log_scalars and not self._awaits(key):
            return self._log_scalars[key]
        return super().get_scalar(key)

    def update_scalar(self, key: str, *args: Any, **kwargs: Any) -> None:
        """Add a value that is at hand, after the earlier values of the key.

        Args:
            key (str): Key of the history.
            *args: Of the host's method.
            **kwargs: Of the host's method, too.
        """
        if self._awaits(key):
            self.settle()
        super().update_scalar(key, *args, **kwargs)

    def state_dict(self) -> dict:
        """Return the state for a checkpoint, with all values.

        Returns:
            dict: As of the host's hub.
        """
        self.settle()
        return super().state_dict()


class _Copy:
    """Numbers of a dtype on the way to the host."""

    def __init__(self, keys: List[str], values: List[Tensor]) -> None:
        self.keys = keys
        # stack copies, as the next replay of a CUDA graph overwrites the
        # values.
        record = torch.stack([x.detach().reshape(()) for x in values])
        self.host, self.event = to_host(record)


def _copies(values: Dict[str, Any]) -> List[_Copy]:
    """Copy numbers from the GPU, each dtype and device at once."""
    groups: Dict[Tuple[torch.dtype, torch.device], List[str]] = {}
    for key, value in values.items():
        if on_gpu(value):
            groups.setdefault((value.dtype, value.device), []).append(key)
    return [
        _Copy(keys, [values[key] for key in keys]) for keys in groups.values()
    ]


def take_over(hub: MessageHub) -> Optional[LateMessageHub]:
    """Let a hub take values late.

    Args:
        hub (MessageHub): The hub of a training; the object stays the same.

    Returns:
        LateMessageHub | None: The hub, or None if its class is the user's
        own: all values must then be given at once.
    """
    if isinstance(hub, LateMessageHub):
        hub.settle()
        return hub
    if type(hub) is not MessageHub:
        return None
    # The object stays, as hooks and loggers already hold the hub.
    hub.__class__ = LateMessageHub
    assert isinstance(hub, LateMessageHub)
    hub._line = deque()
    return hub


def give_back(hub: LateMessageHub) -> None:
    """Wait for all values, and make the hub the host's again.

    Args:
        hub (LateMessageHub): The hub.
    """
    hub.settle()
    hub.__class__ = MessageHub
