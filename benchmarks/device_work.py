"""The work of a GPU in a step: kernels, copies, and the busy time."""
import os
from typing import Any, Callable, Dict, List, Optional, Tuple

import torch

# Beginnings of the names of calls by which a host starts work on a device.
LAUNCHES = ('cudaLaunch', 'cuLaunch', 'cudaGraphLaunch', 'cuGraphLaunch',
            'cudaMemcpy', 'cuMemcpy', 'cudaMemset', 'cuMemset')
COPIES = ('Memcpy', 'Memset')


def covered(spans: List[Tuple[float, float]]) -> float:
    """Return the length of a union of intervals."""
    total, end = 0., float('-inf')
    for start, stop in sorted(spans):
        total += max(0., stop - max(start, end))
        end = max(end, stop)
    return total


class DeviceWork:
    """A profile of some steps on a GPU, from ``begin`` to ``end``.

    Args:
        steps (int): Number of steps in between.
    """

    def __init__(self, steps: int) -> None:
        # Else the profiler is unloaded between two uses, and a graph captured
        # before can end the process.
        os.environ.setdefault('TEARDOWN_CUPTI', '0')
        self.steps = steps
        self.found: Dict[str, float] = {}
        self._profile = torch.profiler.profile(
            activities=[torch.profiler.ProfilerActivity.CUDA])

    def begin(self) -> None:
        """Start the profile; the device must have nothing to do."""
        self._profile.start()

    def end(self) -> None:
        """Wait for the device and set ``found``.

        ``found`` holds, each per step: ``busy``, milliseconds with a kernel
        or copy under way; ``kernels``; ``copies``, fills counted in;
        ``launches``, calls of the host to start kernels, copies or graphs.
        Where a machine allows no profiles, ``found`` stays empty.
        """
        torch.cuda.synchronize()
        self._profile.stop()
        on_device, calls = [], 0
        for event in self._profile.events() or []:
            if event.device_type == torch.autograd.DeviceType.CUDA:
                on_device.append(event)
            elif event.name.startswith(LAUNCHES):
                calls += 1
        if not on_device:
            return
        spans = [(x.time_range.start, x.time_range.end) for x in on_device]
        copies = sum(x.name.startswith(COPIES) for x in on_device)
        self.found = dict(
            busy=covered(spans) / 1e3 / self.steps,
            kernels=(len(on_device) - copies) / self.steps,
            copies=copies / self.steps)
        if calls:  # not every version of torch tells
            self.found['launches'] = calls / self.steps


def profiled(run: Callable[[], Any],
             steps: int = 2,
             device: Optional[torch.device] = None) -> Dict[str, float]:
    """Profile runs of a step.

    Args:
        run (Callable): The step.
        steps (int): Runs. Defaults to 2.
        device (torch.device, optional): On another device than a GPU nothing
            is found. Defaults to None, for a GPU.

    Returns:
        dict[str, float]: See ``DeviceWork.end``.
    """
    if device is not None and device.type != 'cuda':
        return {}
    torch.cuda.synchronize()
    work = DeviceWork(steps)
    work.begin()
    for _ in range(steps):
        run()
    work.end()
    return work.found
