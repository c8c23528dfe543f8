"""A clock for trainings with a real loader, as a hook.

A config imports this module by ``custom_imports``. Nothing here needs the
package, and an older checkout is measured in the same way.
"""
import json
import os
import time
from pathlib import Path
from typing import Any, Dict, List

import torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner
from torch.utils.data import DataLoader


def processes_of(loader: DataLoader) -> List[int]:
    """Return the ids of this process and of a loader's running workers."""
    workers = getattr(loader._iterator, '_workers', [])
    return [os.getpid(), *(worker.pid for worker in workers)]


def ready_batches(loader: DataLoader) -> int:
    """Return how many batches wait in a loader for the training.

    Args:
        loader (DataLoader): Persistent workers keep the number in reach;
            without them the answer is 0.
    """
    iterator: Any = loader._iterator
    if not hasattr(iterator, '_task_info'):
        return 0
    early = sum(len(x) == 2 for x in iterator._task_info.values())
    return early + iterator._data_queue.qsize()


def processor_time(process: int) -> float:
    """Return the seconds that all threads of a process have worked."""
    fields = Path(f'/proc/{process}/stat').read_text().rpartition(')')[2]
    user, system = fields.split()[11:13]
    return (int(user) + int(system)) / os.sysconf('SC_CLK_TCK')


def memory(process: int) -> float:
    """Return the GiB of a process, shared pages divided among the users."""
    for line in Path(f'/proc/{process}/smaps_rollup').read_text().splitlines():
        if line.startswith('Pss:'):
            return int(line.split()[1]) / 2**20
    return 0.


def wait_hooks(runner: Runner) -> List[Any]:
    """Return the hooks that measure waits for data, of newer checkouts."""
    return [
        x for x in runner.hooks
        if type(x).__name__ == 'DataWaitHook' and getattr(x, 'meter', None)
    ]


@HOOKS.register_module()
class LoaderClock(Hook):
    """Time a window of a training with a loader, and write a file.

    JSON is written: ``ms``, the mean milliseconds of an iteration;
    ``waiting``, the percentage of the window that the host spent in the
    loader; ``ready``, batches that waited in the loader when the window began
    and ended; ``timed``, iterations; ``cores``, processor time of the training
    and of the workers, over the length of the window; ``workers``; GiB of the
    host (``host``) and of the GPU (``gib``, the peak). A ``DataWaitHook``
    tells of the window alone. Then the training ends with ``SystemExit``; the
    data set must be longer, or workers would have nothing to do in the last
    iterations of the window.

    Args:
        file (str): The JSON file.
        warm_up (int): Iterations before the window, enough to use up what
            the loader prepared while the first steps were slow.
        timed (int): Iterations of the window, best a multiple of the number
            of workers: batches come in bursts of as many.
    """

    # After the hook that notes the wait for the batch.
    priority = 'LOW'

    def __init__(self, file: str, warm_up: int, timed: int) -> None:
        self.file, self.warm_up, self.timed = Path(file), warm_up, timed
        self.begin: Dict[str, Any] = {}

    def before_train_iter(self,
                          runner: Runner,
                          batch_idx: int,
                          data_batch: Any = None) -> None:
        """Look at the borders of the window."""
        if batch_idx == self.warm_up:
            self.begin = self._look(runner)
            for hook in wait_hooks(runner):
                hook.meter.take()
        elif batch_idx == self.warm_up + self.timed:
            self._write(runner, self._look(runner))
            for hook in wait_hooks(runner):
                hook.after_train_epoch(runner)
            raise SystemExit(0)

    def _look(self, runner: Runner) -> Dict[str, Any]:
        """Return time, processor time and ready batches of the moment."""
        loader = runner.train_loop.dataloader
        # The host must not run ahead: times of the device and of the
        # processors belong together.
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        return dict(
            time=time.perf_counter(),
            worked=sum(map(processor_time, processes_of(loader))),
            ready=ready_batches(loader))

    def _write(self, runner: Runner, end: Dict[str, Any]) -> None:
        loader = runner.train_loop.dataloader
        seconds = end['time'] - self.begin['time']
        waits, _ = runner.message_hub.get_scalar('train/data_time').data
        found: Dict[str, Any] = dict(
            ms=1e3 * seconds / self.timed,
            waiting=100 * float(sum(waits[-self.timed:])) / seconds,
            ready=[self.begin['ready'], end['ready']],
            timed=self.timed,
            cores=(end['worked'] - self.begin['worked']) / seconds,
            workers=loader.num_workers,
            host=sum(map(memory, processes_of(loader))))
        if torch.cuda.is_available():
            found['gib'] = torch.cuda.max_memory_allocated() / 2**30
        part = self.file.with_suffix('.part')
        part.write_text(json.dumps(found))
        part.replace(self.file)
