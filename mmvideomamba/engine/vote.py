"""Agreement of the processes of a training, without waiting in each step."""
from typing import Any, List, Optional, Sequence

import torch
from torch import distributed

_group: Any = None


def cpu_group() -> Any:
    """Return a group of all processes for tensors on the CPU.

    All processes must call the function in the same order as other
    collectives, in an initialised process group.

    Returns:
        ProcessGroup | None: None for the default group.
    """
    global _group
    if distributed.get_backend() == distributed.Backend.GLOO:
        return None
    # A second run of a process has a new default group, and the gloo group of
    # the first run is gone.
    if _group is None or _group[0] is not distributed.group.WORLD:
        _group = (distributed.group.WORLD,
                  distributed.new_group(backend='gloo'))
    return _group[1]


class Vote:
    """Tell all processes about flags of any process.

    The flags travel between the processes on the CPU, while the training
    goes on; an accelerator is never waited for. All processes must call the
    methods in the same order. In a training of a single process a vote
    returns the process's own flags.

    Args:
        flags (int): Number of flags.
    """

    def __init__(self, flags: int) -> None:
        self.flags = flags
        self._values: Optional[torch.Tensor] = None
        self._work: Any = None

    def cast(self, flags: Sequence[bool]) -> None:
        """Send the flags of this process, without waiting.

        Args:
            flags (Sequence[bool]): Of this process.
        """
        self._values = torch.tensor([int(x) for x in flags])
        self._work = None
        if distributed.is_available() and distributed.is_initialized():
            self._work = distributed.all_reduce(
                self._values,
                distributed.ReduceOp.MAX,
                group=cpu_group(),
                async_op=True)

    def result(self) -> List[bool]:
        """Return the flags of the last ``cast``, set by any process.

        Returns:
            list[bool]: The same on each process; all False before the first
            ``cast``.
        """
        if self._work is not None:
            self._work.wait()
            self._work = None
        if self._values is None:
            return [False] * self.flags
        return self._values.bool().tolist()

    def settle(self, flags: Sequence[bool]) -> List[bool]:
        """Send flags and wait for the other processes.

        Args:
            flags (Sequence[bool]): Of this process.

        Returns:
            list[bool]: Flags of any process, of this and of the last
            ``cast``.
        """
        # The flags of a vote under way would be lost in the new vote.
        before = self.result()
        self.cast([x or y for x, y in zip(flags, before)])
        return self.result()
