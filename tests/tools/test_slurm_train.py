"""A preempted job is saved, requeued or started again, and resumes."""
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any, Callable, List

import pytest
from script import ROOT

# Notes the arguments, and ends with the exit code in the next line of a file.
# Like the true srun, passes SIGUSR1 on, and kills the tasks at SIGTERM.
SRUN = r"""#!/bin/sh
echo "$*" >> calls
code=$(sed -n "$(grep -c . calls)p" codes)
if [ "$code" = wait ]; then
    trap 'exit 75' USR1
    trap 'exit 137' TERM HUP INT
    touch ready
    while true; do sleep 0.05; done
fi
exit $code
"""
SCONTROL = r"""#!/bin/sh
if [ "$1" = show ]; then
    echo "JobId=$3 JobState=${STATE:-RUNNING}"
else
    echo "$*" >> requeued
    exit ${REFUSE:-0}
fi
"""


@pytest.fixture
def start(tmp_path: Path) -> Callable[..., subprocess.Popen]:
    """Return a function to start the script."""
    for name, text in dict(srun=SRUN, scontrol=SCONTROL).items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)

    def start(codes: List[Any], *options: str,
              **variables: str) -> subprocess.Popen:
        (tmp_path / 'codes').write_text('\n'.join(map(str, codes)) + '\n')
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith('SLURM_')
        }
        environment.update(variables)
        environment['PATH'] = f'{tmp_path}:{environment["PATH"]}'
        return subprocess.Popen([
            'bash', ROOT / 'tools/slurm_train.sh', 'part', 'job', 'c.py',
            *options
        ],
                                cwd=tmp_path,
                                env=environment,
                                stderr=subprocess.PIPE,
                                text=True)

    return start


def resumes(folder: Path) -> List[int]:
    """Return how often each call of srun has the option."""
    calls = (folder / 'calls').read_text().splitlines()
    return [line.split().count('--resume') for line in calls]


@pytest.mark.parametrize('code', [0, 1, 70, 127, 143])
def test_exit_code_of_srun(start: Callable, tmp_path: Path, code: int) -> None:
    job = start([code])
    job.communicate(timeout=60)
    assert job.returncode == code
    assert resumes(tmp_path) == [0]


def test_starts_again_outside_of_a_job(start: Callable,
                                       tmp_path: Path) -> None:
    job = start([75, 75, 0], '--seed', '3')
    err = job.communicate(timeout=60)[1]
    assert job.returncode == 0
    assert resumes(tmp_path) == [0, 1, 1]
    assert 'started again (2 of at most 20)' in err


def test_bound_of_restarts(start: Callable, tmp_path: Path) -> None:
    job = start([75] * 9, '--resume', MAX_RESTARTS='2')
    err = job.communicate(timeout=60)[1]
    assert job.returncode == 75
    assert resumes(tmp_path) == [1, 1, 1]
    assert 'not started again after MAX_RESTARTS=2' in err


def test_requeues_a_job(start: Callable, tmp_path: Path) -> None:
    job = start([75], SLURM_JOB_ID='12')
    err = job.communicate(timeout=60)[1]
    assert job.returncode == 75 and 'job 12 is requeued' in err
    assert (tmp_path / 'requeued').read_text() == 'requeue 12\n'
    again = start(['', 0], SLURM_JOB_ID='12', SLURM_RESTART_COUNT='1')
    again.communicate(timeout=60)
    assert again.returncode == 0
    assert resumes(tmp_path) == [0, 1]


@pytest.mark.parametrize('variables, message', [
    (dict(SLURM_RESTART_COUNT='20'), 'MAX_RESTARTS=20'),
    (dict(STATE='CANCELLED'), 'SLURM is ending the job'),
    (dict(STATE='COMPLETING'), 'SLURM is ending the job'),
])
def test_job_is_not_requeued(start: Callable, tmp_path: Path, variables: dict,
                             message: str) -> None:
    job = start([75], SLURM_JOB_ID='12', **variables)
    err = job.communicate(timeout=60)[1]
    assert job.returncode == 75 and message in err
    assert not (tmp_path / 'requeued').exists()


def test_slurm_refuses_to_requeue(start: Callable, tmp_path: Path) -> None:
    """As for an allocation of salloc."""
    job = start([75, 0], SLURM_JOB_ID='12', REFUSE='1')
    err = job.communicate(timeout=60)[1]
    assert job.returncode == 0 and 'does not requeue job 12' in err
    assert resumes(tmp_path) == [0, 1]


@pytest.mark.parametrize('job_id, number, code', [
    ('', signal.SIGTERM, 75),
    ('', signal.SIGHUP, 75),
    ('', signal.SIGINT, 130),
    ('', signal.SIGUSR1, 0),
    ('12', signal.SIGTERM, 75),
    ('12', signal.SIGUSR1, 75),
])
def test_signal_to_the_script(start: Callable, tmp_path: Path, job_id: str,
                              number: int, code: int) -> None:
    """The tasks save; a user's signal ends the script, SIGUSR1 does not."""
    job = start(['wait', 0], SLURM_JOB_ID=job_id)
    end = time.monotonic() + 60
    while not (tmp_path / 'ready').exists():
        assert time.monotonic() < end
        time.sleep(0.01)
    job.send_signal(number)
    job.communicate(timeout=60)
    assert job.returncode == code
    assert (tmp_path / 'requeued').exists() == bool(job_id)
    assert len(resumes(tmp_path)) == 1 + (code == 0)


def test_run_on_cpus_asks_for_no_gpus(start: Callable, tmp_path: Path) -> None:
    start([0], GRES='').communicate(timeout=60)
    start([0]).communicate(timeout=60)
    one, other = (tmp_path / 'calls').read_text().splitlines()
    assert '--gres' not in one and '--gres=gpu:8' in other
