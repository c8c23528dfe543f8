"""A hanging or crashing task loses its own result only."""
import functools
import io
import os
import signal
import time
from typing import Any, Callable

import pytest
from mmengine.utils import ProgressBar

from mmvideomamba.datasets.preparation import worker_pool
from mmvideomamba.datasets.preparation.worker_pool import (WorkerFault,
                                                           run_tasks,
                                                           show_progress)


def work(task: Any, alive: Callable[[], None]) -> Any:
    if task == 'hang':
        time.sleep(60)
    if task == 'crash':
        os.kill(os.getpid(), signal.SIGKILL)
    if task == 'bug':
        raise KeyError('bug')
    if task == 'long':  # many steps, each within the limit
        for _ in range(3):
            time.sleep(0.5)
            alive()
    return task


@pytest.mark.parametrize('workers', [1, 3])
def test_every_task_has_an_outcome(workers: int) -> None:
    tasks = ['a', 'hang', 'b', 'crash', 'long', 'c']
    found = dict(run_tasks(work, tasks, workers, time_limit=1))
    assert sorted(found) == list(range(6))
    kinds = [getattr(found[i], 'kind', found[i]) for i in range(6)]
    assert kinds == ['a', 'hung', 'b', 'crashed', 'long', 'c']
    assert 'limit of 1 s' in str(found[1]) and '-9' in str(found[3])


def test_error_of_the_function_is_raised() -> None:
    with pytest.raises(KeyError, match='bug'):
        list(run_tasks(work, ['a', 'bug'], 2))


def test_fault_is_told_by_its_kind() -> None:
    assert WorkerFault('hung', 'text').kind == 'hung'
    assert not list(run_tasks(work, [], 2))


def test_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = io.StringIO()
    monkeypatch.setattr(worker_pool, 'ProgressBar',
                        functools.partial(ProgressBar, file=shown))
    assert list(show_progress(iter('abc'), 0)) == ['a', 'b', 'c']
    assert shown.getvalue() == ''
    assert list(show_progress(iter('abc'), 3)) == ['a', 'b', 'c']
    assert '3/3' in shown.getvalue()
    stopped = show_progress(iter('abc'), 4)
    next(stopped)
    stopped.close()  # as after an error
    assert '0/4' in shown.getvalue()
    assert shown.getvalue().endswith('\n')
    assert not shown.getvalue().endswith('\n\n')
