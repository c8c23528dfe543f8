"""A few cycles of the long run, on a small training."""
import random
import shutil
import signal
from pathlib import Path
from typing import Any, Callable, Sequence

import pytest
from host_tools import CONFIG, PATH
from long_run import (STAGES, Interrupted, Process, compare, draw_moment,
                      in_validation, interrupt_often)
from preloaded_python import Python

OPTIONS = ['default_hooks.checkpoint.max_keep_ckpts=1']


def start_in(cwd: Path) -> Callable[[Sequence[str], Path], Process]:
    """Return a function to start a script by the server of processes."""

    def start(arguments: Sequence[str], folder: Path) -> Process:
        process = Python(arguments, cwd, PYTHONPATH=PATH)

        def wait() -> int:
            process.process.join(300)
            return process.process.exitcode

        return Process(process.pid, process.running, process.printed, wait)

    return start


@pytest.mark.slow
@pytest.mark.parametrize(
    'signals', [
        (signal.SIGKILL, ),
        (signal.SIGTERM, signal.SIGUSR1),
    ],
    ids=['kill', 'preempt'])
def test_interrupted_trainings_end_alike(clips: Path, trained: Path,
                                         tmp_path: Path,
                                         signals: Sequence[Any]) -> None:

    def fresh() -> None:
        assert not compare(work_dir, trained)
        shutil.rmtree(work_dir)

    work_dir = tmp_path / 'work'
    training = Interrupted(str(CONFIG), work_dir, OPTIONS, start_in(clips))
    ended = interrupt_often(training, 3, random.Random(0), signals, .2, fresh,
                            0)
    assert ended >= 1 and len(training.rows) == 3
    assert {row['aimed'] for row in training.rows} == {*STAGES}


def test_moments_are_drawn_from_the_seed() -> None:
    first, second, other = (
        draw_moment(random.Random(seed), 'anywhere', 5., [signal.SIGTERM])
        for seed in (1, 1, 2))
    assert first == second != other
    assert 0 <= first.delay <= 5


@pytest.mark.parametrize('text, found', [
    ('', False),
    ('Epoch(train)   [1][20/80]  loss: 1', False),
    ('Epoch(train)   [1][80/80]  loss: 1', True),
    ('Epoch(train)   [1][80/80]  loss: 1\nEpoch(val)  [1][ 5/10]  eta', True),
    ('Epoch(val)  [1][10/10]    acc/top1: 0.5', False),
])
def test_validation_is_seen_in_the_log(text: str, found: bool) -> None:
    assert in_validation(text) == found
