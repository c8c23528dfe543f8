"""Workers end with the trainer, and by no signal of anyone else."""
import contextlib
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from preloaded_python import Python
from torch.utils.data import DataLoader, Dataset

from mmvideomamba.engine.loops.worker_signals import WorkerStart, keep_workers

TRAINER = """
import os, sys, time
from torch.utils.data import DataLoader
from mmvideomamba.engine.loops.worker_signals import keep_workers
from pathlib import Path
class Pids:
    def __len__(self): return 100
    def __getitem__(self, i):
        Path('pid').write_text(str(os.getpid()))
        time.sleep(600)
loader = DataLoader(Pids(), num_workers=1, multiprocessing_context='fork')
keep_workers(loader)
next(iter(loader))
"""


class Pid(Dataset):

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> int:
        time.sleep(0.2)
        return os.getpid()


def start(worker: int) -> None:
    """Stand for the host's function."""
    os.environ['STARTED'] = str(worker)


@pytest.mark.parametrize('name', ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR1'])
def test_signals_of_others_are_ignored(name: str) -> None:
    loader = DataLoader(Pid(), num_workers=1)
    keep_workers(loader)
    batches = iter(loader)
    worker = int(next(batches))
    # A process without an own handler, as `kill` would be.
    if os.fork() == 0:
        os.kill(worker, getattr(signal, name))
        os._exit(0)
    os.wait()
    assert [int(batch) for batch in batches] == [worker] * 3


def test_parent_may_end_a_worker() -> None:
    loader = DataLoader(Pid(), num_workers=1)
    keep_workers(loader)
    batches = iter(loader)
    process = batches._workers[0]
    next(batches)
    process.terminate()
    # torch's handler of SIGCHLD raises here.
    with contextlib.suppress(RuntimeError):
        process.join(30)
    process.join(30)
    assert process.exitcode == 128 + signal.SIGTERM


def test_function_of_the_host_is_called() -> None:

    class Started(Pid):

        def __getitem__(self, index: int) -> Any:
            return int(os.environ['STARTED'])

    loader = DataLoader(Started(), num_workers=2, worker_init_fn=start)
    keep_workers(loader)
    keep_workers(loader)
    assert isinstance(loader.worker_init_fn, WorkerStart)
    assert loader.worker_init_fn.start is start
    assert sorted(map(int, loader)) == [0, 0, 1, 1]


@pytest.mark.slow
def test_killed_trainer_takes_its_workers(tmp_path: Path) -> None:
    (tmp_path / 'trainer.py').write_text(TRAINER)
    trainer = Python(['trainer.py'], tmp_path)
    note = tmp_path / 'pid'
    while not (note.is_file() and note.read_text()):
        assert trainer.running(), trainer.printed()
        time.sleep(0.05)
    worker = int(note.read_text())
    os.kill(trainer.pid, signal.SIGKILL)
    trainer.wait()
    for _ in range(200):
        state = Path(f'/proc/{worker}/stat')
        if not state.exists() or state.read_text().split()[2] == 'Z':
            return
        time.sleep(0.05)
    raise AssertionError('the worker lives on')
