"""Ranks start as by torchrun, get signals, and end with an exit code."""
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Callable, List

import pytest
from script import ROOT, load_script

from mmvideomamba import exit_codes, signals

start_ranks = load_script('tools/start_ranks.py')

# Each rank writes a file with the received signals; the first argument says
# how the rank ends, by default with exit code 75 at the first signal.
RANK = """
import os, pathlib, signal, sys, time
rank, end = os.environ['RANK'], sys.argv[1]
note = pathlib.Path('rank' + rank)

def handle(number, frame):
    with note.open('a') as file:
        file.write(f' {number}')
    if end != 'stay':
        sys.exit(75)

for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP, signal.SIGINT):
    signal.signal(number, handle)
note.write_text(str(os.getpid()))
names = ('WORLD_SIZE', 'LOCAL_WORLD_SIZE', 'LOCAL_RANK', 'MASTER_ADDR',
         'MASTER_PORT', 'OMP_NUM_THREADS')
if end == 'print':
    words = [rank, *map(os.environ.get, names), *sys.argv[2:]]
    # In one piece: the ranks write to one pipe, and print writes each word.
    sys.stdout.write(' '.join(words) + '\\n')
elif rank == '0' or end == 'stay' or end == 'wait':
    time.sleep(60)
else:
    while not os.path.exists('rank0'):
        time.sleep(0.01)
    if int(end) >= 0:
        sys.exit(int(end))
    if end != '-9':
        signal.signal(-int(end), signal.SIG_DFL)
    os.kill(os.getpid(), -int(end))
"""


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., subprocess.Popen]:
    """Return a function to start two ranks."""
    (tmp_path / 'rank.py').write_text(RANK)
    environment = dict(os.environ)
    environment.pop('OMP_NUM_THREADS', None)

    def run(*arguments: Any) -> subprocess.Popen:
        command = [
            sys.executable, ROOT / 'tools/start_ranks.py', '--master-port',
            '7', *arguments
        ]
        return subprocess.Popen(
            list(map(str, command)),
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True)

    return run


def notes(folder: Path) -> List[List[int]]:
    """Wait for both ranks; return pids and received signals."""
    end = time.monotonic() + 60
    files = [folder / f'rank{i}' for i in range(2)]
    while not all(x.is_file() and x.read_text() for x in files):
        assert time.monotonic() < end
        time.sleep(0.01)
    return [list(map(int, x.read_text().split())) for x in files]


def ended(pid: int) -> bool:
    """Wait until a process is no longer there."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            state = Path(f'/proc/{pid}/stat').read_text().rsplit(')')[1]
        except FileNotFoundError:
            return True
        if state.split()[0] == 'Z':
            return True
        time.sleep(0.01)
    return False


def test_constants() -> None:
    """The script imports no package, for a quick start."""
    for name in ('DIVERGED', 'PREEMPTED', 'INTERRUPTED'):
        assert getattr(start_ranks, name) == getattr(exit_codes, name)
    assert start_ranks.PREEMPTIONS == signals.PREEMPTIONS
    assert start_ranks.SAME_SIGNAL_SECONDS == signals.SAME_SIGNAL_SECONDS


def test_environment(run: Callable) -> None:
    one = run('--nnodes', 2, '--node-rank', 1, 2, 'rank.py', 'print', '-x', '')
    out, err = one.communicate(timeout=60)
    assert one.returncode == 0, err
    assert sorted(out.splitlines()) == [
        '2 4 2 0 127.0.0.1 7 1 -x ', '3 4 2 1 127.0.0.1 7 1 -x '
    ]


@pytest.mark.parametrize('end, code', [(70, 70), (75, 75), (3, 1), (-9, 1),
                                       (-15, 75), (-2, 130)])
def test_first_failure_ends_the_others(run: Callable, tmp_path: Path, end: int,
                                       code: int) -> None:
    one = run(2, 'rank.py', end)
    err = one.communicate(timeout=60)[1]
    assert one.returncode == code
    assert f'rank 1 of this node ended with exit code {end}' in err
    assert notes(tmp_path)[0][1:] == [signal.SIGTERM]


@pytest.mark.parametrize('number', signals.ENDINGS)
def test_signal_is_passed_on(run: Callable, tmp_path: Path,
                             number: int) -> None:
    one = run(2, 'rank.py', 'wait')
    notes(tmp_path)
    one.send_signal(number)
    one.send_signal(number if number != signal.SIGINT else signal.SIGTERM)
    one.communicate(timeout=60)
    assert one.returncode == exit_codes.PREEMPTED
    assert [x[1] for x in notes(tmp_path)] == [number] * 2


@pytest.mark.parametrize('first, second', [
    (signal.SIGINT, signal.SIGINT),
    (signal.SIGTERM, signal.SIGUSR1),
])
def test_second_signal_ends_all_at_once(run: Callable, tmp_path: Path,
                                        first: int, second: int) -> None:
    one = run(2, 'rank.py', 'stay')
    notes(tmp_path)
    one.send_signal(first)
    while any(x[1:] != [first] for x in notes(tmp_path)):
        time.sleep(0.01)
    if second != signal.SIGINT:
        time.sleep(start_ranks.SAME_SIGNAL_SECONDS)
    one.send_signal(second)
    one.communicate(timeout=60)
    assert one.returncode == 128 + second
    assert all(ended(x[0]) for x in notes(tmp_path))


@pytest.mark.skipif(
    not sys.platform.startswith('linux'), reason='the kernel of Linux does it')
def test_killed_launcher_leaves_nothing(run: Callable, tmp_path: Path) -> None:
    one = run(2, 'rank.py', 'stay')
    found = notes(tmp_path)
    one.kill()
    one.communicate(timeout=60)
    assert all(ended(x[0]) for x in found)


@pytest.mark.parametrize('processes', ['0', 'two', '1.5'])
def test_number_of_processes(run: Callable, processes: str) -> None:
    one = run(processes, 'rank.py')
    err = one.communicate(timeout=60)[1]
    assert one.returncode == 2
    assert f'{processes!r} is not a number of processes above 0' in err


@pytest.mark.parametrize('nodes, rank', [(1, 1), (2, 2), (2, -1)])
def test_rank_of_the_node(run: Callable, nodes: int, rank: int) -> None:
    one = run('--nnodes', nodes, f'--node-rank={rank}', 1, 'rank.py')
    err = one.communicate(timeout=60)[1]
    assert one.returncode == 2
    assert f'NODE_RANK) is {rank}, but --nnodes (NNODES) is {nodes}' in err


@pytest.mark.parametrize('statuses, code', [([], 0), ([1], 1), ([-11], 1),
                                            ([1, 75], 75), ([75, 70], 70),
                                            ([-10, -9], 75)])
def test_exit_code(statuses: List[int], code: int) -> None:
    assert start_ranks.exit_code(statuses) == code
