"""Real signals to real trainings, started by the scripts of ``tools``."""
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any, Callable, List, Tuple

import pytest
import torch
from host_tools import ROOT, TOOLS
from preloaded_python import Python, free_port

from mmvideomamba.exit_codes import INTERRUPTED, PREEMPTED
from mmvideomamba.signals import SAME_SIGNAL_SECONDS

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent
CONFIG = HERE / 'paused_recognizer.py'
TRAIN = ROOT / 'tools/train.py'
PATH = os.pathsep.join([str(ROOT), str(HERE)])


def wait_for(condition: Callable[[], Any], process: Any = None) -> None:
    """Wait until a condition holds, as long as a process is running."""
    end = time.monotonic() + 300
    while not condition():
        assert process is None or process.running(), process.printed()
        assert time.monotonic() < end
        time.sleep(0.01)


def children(pid: int) -> List[int]:
    """Return the running processes started by a process."""
    found = Path(f'/proc/{pid}/task/{pid}/children').read_text()
    return list(map(int, found.split()))


class Training:
    """A training with a pause at a place.

    Args:
        cwd (Path): Folder with data/.
        work_dir (Path): Working folder.
        pause (str): See ``PauseHook``.
        *options (str): Of the script.
        script (Path): To train with. Defaults to tools/train.py.
    """

    def __init__(self,
                 cwd: Path,
                 work_dir: Path,
                 pause: str,
                 *options: str,
                 script: Path = TRAIN) -> None:
        self.folder = work_dir / pause.replace(' ', '_')
        self.folder.mkdir(parents=True)
        self.process = Python([
            HERE / 'in_session.py', script, CONFIG, '--work-dir', work_dir,
            *options
        ],
                              cwd,
                              PYTHONPATH=PATH,
                              PAUSE=pause,
                              PAUSE_FOLDER=str(self.folder))

    def reach(self) -> None:
        """Wait until the training is at the place."""
        wait_for((self.folder / 'reached').exists, self.process)

    def end(self) -> Tuple[int, str]:
        """Let the training go on; return exit code and output."""
        (self.folder / 'go').touch()
        done = self.process.wait()
        return done.returncode, done.stdout + done.stderr


def saved(work_dir: Path) -> str:
    """Return the file name in ``last_checkpoint``."""
    return Path((work_dir / 'last_checkpoint').read_text()).name


def test_interrupted_at_many_places(clips: Path, trained: Path,
                                    tmp_path: Path) -> None:
    """In training, save and validation; the weights are as without."""
    work_dir = tmp_path / 'run'
    # Ctrl-C reaches the whole process group, the workers too.
    training = Training(clips, work_dir, 'before_train_iter 1')
    training.reach()
    workers = children(training.process.pid)
    assert workers
    os.killpg(training.process.pid, signal.SIGINT)
    code, printed = training.end()
    assert code == INTERRUPTED, printed
    assert f'SIGINT: the training is saved in {work_dir}/iter_2' in printed
    assert saved(work_dir) == 'iter_2.pth'
    wait_for(lambda: not any(Path(f'/proc/{x}').exists() for x in workers))

    # The save is finished before.
    training = Training(clips, work_dir, 'before_save_checkpoint 4',
                        '--resume')
    training.reach()
    os.killpg(training.process.pid, signal.SIGTERM)
    code, printed = training.end()
    assert code == PREEMPTED, printed
    assert saved(work_dir) == 'epoch_1.pth'
    assert not (work_dir / 'iter_2.pth').exists()

    # A second signal ends the process at once.
    training = Training(clips, work_dir, 'before_train_iter 6', '--resume')
    training.reach()
    os.kill(training.process.pid, signal.SIGTERM)
    time.sleep(SAME_SIGNAL_SECONDS + 0.05)
    os.kill(training.process.pid, signal.SIGUSR1)
    done = training.process.wait()
    assert done.returncode == 128 + signal.SIGUSR1, done.stderr
    assert saved(work_dir) == 'epoch_1.pth'

    # A validation is repeated on resume. The script comes from mmaction2.
    training = Training(
        clips,
        work_dir,
        'before_val_iter 8',
        '--resume',
        script=TOOLS / 'train.py')
    training.reach()
    os.killpg(training.process.pid, signal.SIGHUP)
    code, printed = training.end()
    assert code == PREEMPTED, printed
    assert saved(work_dir) == 'epoch_2.pth'

    training = Training(clips, work_dir, 'never 0', '--resume')
    code, printed = training.end()
    assert code == 0, printed
    assert 'Epoch(val) [2]' in printed and 'Epoch(val) [3]' in printed
    expected, found = (
        torch.load(x / 'epoch_3.pth', weights_only=False)
        for x in (trained, work_dir))
    for part in ('state_dict', 'optimizer'):
        torch.testing.assert_close(
            found[part], expected[part], rtol=0, atol=0, msg=part)


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGUSR1])
def test_before_the_training(tmp_path: Path, number: int) -> None:
    """While the libraries load; the data do not even exist."""
    training = Training(tmp_path, tmp_path / 'run', 'never 0')
    status = Path(f'/proc/{training.process.pid}/status')

    def handled() -> bool:
        """Tell whether the script has set a handler of SIGUSR1."""
        line = next(x for x in status.read_text().splitlines()
                    if x.startswith('SigCgt'))
        return bool(int(line.split()[1], 16) >> (signal.SIGUSR1 - 1) & 1)

    wait_for(handled, training.process)
    os.kill(training.process.pid, number)
    code, printed = training.end()
    assert code == PREEMPTED, printed
    name = signal.Signals(number).name
    assert f'{name}: no step to save; exit code 75' in printed
    assert list((tmp_path / 'run').glob('*.pth')) == []


# Stands for the cluster: hands the command to the test; the test starts the
# tasks and writes the exit code.
SRUN = r"""#!/bin/sh
until [ "$1" = python ]; do shift; done
shift 2
for word in "$@"; do echo "$word"; done > asked.new
mv asked.new asked
until [ -f code ]; do sleep 0.05; done
code=$(cat code)
rm code
exit "$code"
"""


def test_slurm_job_on_cpus(clips: Path, tmp_path: Path) -> None:
    """One of two tasks gets a signal; the job resumes and completes."""
    (tmp_path / 'srun').write_text(SRUN)
    (tmp_path / 'srun').chmod(0o755)
    work_dir = tmp_path / 'run'
    environment = {
        name: value
        for name, value in os.environ.items() if 'SLURM' not in name
    }
    environment['PATH'] = f'{tmp_path}:{environment["PATH"]}'
    job = subprocess.Popen([
        'bash', ROOT / 'tools/slurm_train.sh', 'part', 'job', CONFIG,
        '--work-dir', work_dir, '--cfg-options', 'train_cfg.max_epochs=2'
    ],
                           cwd=tmp_path,
                           env=environment,
                           stderr=subprocess.PIPE,
                           text=True)

    def tasks(pause: str) -> List[Python]:
        """Start two tasks when the job calls srun."""
        wait_for((tmp_path / 'asked').exists)
        command = (tmp_path / 'asked').read_text().splitlines()
        (tmp_path / 'asked').unlink()
        port = str(free_port())
        return [
            Python(
                command,
                clips,
                PYTHONPATH=PATH,
                PAUSE=pause if rank else 'never 0',
                PAUSE_FOLDER=str(tmp_path),
                MASTER_PORT=port,
                SLURM_PROCID=str(rank),
                SLURM_LOCALID=str(rank),
                SLURM_NTASKS='2',
                SLURM_NODELIST='localhost') for rank in range(2)
        ]

    def end(started: List[Python]) -> List[int]:
        """Wait for the tasks; let srun end with the highest code."""
        codes = [one.wait().returncode for one in started]
        (tmp_path / 'code').write_text(str(max(codes)))
        return codes

    started = tasks('before_train_iter 0')
    wait_for((tmp_path / 'reached').exists, started[1])
    os.kill(started[1].pid, signal.SIGUSR1)
    (tmp_path / 'go').touch()
    assert end(started) == [PREEMPTED] * 2
    assert saved(work_dir) == 'iter_2.pth'
    assert end(tasks('never 0')) == [0, 0]
    err = job.communicate(timeout=60)[1]
    assert job.returncode == 0, err
    assert 'started again (1 of at most 20)' in err
    assert saved(work_dir) == 'epoch_2.pth'
    state = torch.load(work_dir / 'epoch_2.pth', weights_only=False)
    assert state['meta']['iter'] == 4
