"""Verdicts of a device on the last iterations, read without waiting."""
from collections import deque
from dataclasses import dataclass
from typing import Any, Deque, Dict, List, Optional, Tuple

import torch

from .replay import Step

# The host may be this many verdicts behind the device.
BEHIND = 4


@dataclass
class Verdict:
    """Verdict on an iteration.

    Args:
        step (Step): The iteration.
        outputs (dict): Values to log.
        update (int): Number of the update that the iteration is part of.
        stepped (bool): Whether the update was due in the iteration.
        flags (Tensor): Of ``StepGuard.record``, on the host.
        event (torch.cuda.Event, optional): Passed when ``flags`` are there;
            None if they are.
    """

    step: Step
    outputs: Dict[str, Any]
    update: int
    stepped: bool
    flags: torch.Tensor
    event: Optional[Any] = None

    @property
    def bad(self) -> bool:
        """Whether loss or gradients are bad."""
        return bool(self.flags[0] or self.flags[1])

    @property
    def fault(self) -> bool:
        """Whether the training is to end."""
        return bool(self.flags[2])

    @property
    def count(self) -> int:
        """Bad steps so far, under a scaler in a row."""
        return int(self.flags[3])


def to_host(record: torch.Tensor) -> Tuple[torch.Tensor, Optional[Any]]:
    """Copy a verdict to the host, without waiting for a GPU.

    Args:
        record (Tensor): Of ``StepGuard.record``.

    Returns:
        tuple[Tensor, torch.cuda.Event | None]: The copy, and the event after
        it.
    """
    if record.device.type != 'cuda':
        return record.cpu(), None
    flags = torch.empty(record.shape, dtype=record.dtype, pin_memory=True)
    flags.copy_(record, non_blocking=True)
    event = torch.cuda.Event()
    event.record()
    return flags, event


class Verdicts:
    """Iterations whose verdict is under way, and those before an update."""

    def __init__(self) -> None:
        self.waiting: Deque[Verdict] = deque()
        # Known iterations of an update that is not made yet.
        self.kept: List[Verdict] = []

    def add(self, verdict: Verdict) -> None:
        """Add the verdict on the last iteration.

        Args:
            verdict (Verdict): Maybe under way.
        """
        self.waiting.append(verdict)

    def arrived(self, wait: bool = False) -> List[Verdict]:
        """Return the verdicts that are there.

        Args:
            wait (bool): Whether to wait for all. Defaults to False.

        Returns:
            list[Verdict]: In order.
        """
        found = []
        while self.waiting:
            event = self.waiting[0].event
            if event is not None:
                if wait or len(self.waiting) > BEHIND:
                    event.synchronize()
                elif not event.query():
                    break
            found.append(self.waiting.popleft())
            self.kept.append(found[-1])
        return found

    def update_of(self, verdict: Verdict) -> List[Verdict]:
        """Return the iterations of an update.

        Args:
            verdict (Verdict): On one of the iterations.

        Returns:
            list[Verdict]: In order.
        """
        return [x for x in self.kept if x.update == verdict.update]

    def forget(self, verdict: Verdict) -> None:
        """Drop the iterations up to an update.

        Args:
            verdict (Verdict): On the update.
        """
        self.kept = [x for x in self.kept if x.update > verdict.update]
