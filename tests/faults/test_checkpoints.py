"""Real processes are killed within a save, or share a folder or disk."""
import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Iterator, List

import pytest
import torch
from host_tools import CONFIG, PATH, ROOT
from preloaded_python import Python

from mmvideomamba.checkpoints.reader import check_file

pytestmark = pytest.mark.slow
HERE = Path(__file__).parent
KEEP_ONE = 'default_hooks.checkpoint.max_keep_ckpts=1'


def start(clips: Path, folder: Path, *options: str, config=CONFIG) -> Python:
    """Start tools/train.py in the folder of the clips."""
    return Python([
        ROOT / 'tools/train.py', config, '--work-dir', folder, *options,
        '--cfg-options', KEEP_ONE
    ],
                  clips,
                  PYTHONPATH=os.pathsep.join([PATH, str(HERE)]))


def checkpoints(folder: Path) -> List[str]:
    return sorted(p.name for p in folder.iterdir() if '.pth' in p.name)


def same_weights(one: Path, other: Path) -> bool:
    first, second = (
        torch.load(path, weights_only=True)['state_dict']
        for path in (one, other))
    return first.keys() == second.keys() and all(
        torch.equal(first[key], second[key]) for key in first)


def test_killed_within_a_save(clips: Path, trained: Path,
                              tmp_path: Path) -> None:
    """Also: a second training in the folder of a running one is refused."""
    folder = tmp_path / 'work'
    first = start(clips, folder, config=HERE / 'slow_recognizer.py')
    draft = folder / 'epoch_2.pth.unfinished'
    deadline = time.monotonic() + 300
    while not (draft.exists() and draft.stat().st_size):
        assert first.running() and time.monotonic() < deadline, first.printed()
        time.sleep(0.05)

    before = {p: p.stat().st_mtime_ns for p in folder.rglob('*')}
    second = start(clips, folder).wait()
    assert second.returncode == 1
    told = [x for x in second.stderr.splitlines() if x.startswith('error: ')]
    assert len(told) == 1
    assert f'process {first.pid} on host {os.uname().nodename}' in told[0]
    assert str(folder) in told[0] and '--force' in told[0]
    assert 'Traceback' not in second.stderr
    assert before == {p: p.stat().st_mtime_ns for p in folder.rglob('*')}

    os.kill(first.pid, signal.SIGKILL)
    assert first.wait().returncode == -signal.SIGKILL
    assert 'epoch_1.pth' in checkpoints(folder)
    check_file(folder / 'epoch_1.pth')
    assert json.loads((folder / 'training.lock').read_text())

    resumed = start(clips, folder, '--resume').wait()
    assert resumed.returncode == 0, resumed.stderr
    text = resumed.stdout + resumed.stderr
    assert 'resumed epoch: 1, iter: 4' in text
    assert f'taken over from process {first.pid} ' in text
    assert same_weights(folder / 'epoch_3.pth', trained / 'epoch_3.pth')
    best = [x for x in checkpoints(trained) if 'best' in x]
    assert checkpoints(folder) == [*best, 'epoch_3.pth']
    assert not (folder / 'training.lock').exists()


@pytest.fixture
def small_disk(tmp_path: Path, trained: Path) -> Iterator[Path]:
    """A disk with room for a checkpoint and a half, and the logs."""
    disk = tmp_path / 'disk'
    disk.mkdir()
    size = 1.5 * (trained / 'epoch_1.pth').stat().st_size + 400_000
    mount = subprocess.run(
        ['mount', '-t', 'tmpfs', '-o', f'size={size:.0f}', 'tmpfs', disk],
        capture_output=True,
        text=True)
    if mount.returncode:
        pytest.skip(f'mounting is not allowed: {mount.stderr}')
    yield disk
    subprocess.run(['umount', '-l', disk], check=True)


def test_full_disk(clips: Path, small_disk: Path) -> None:
    folder = small_disk / 'work'
    done = start(clips, folder).wait()
    assert done.returncode == 1
    told = [x for x in done.stderr.splitlines() if x.startswith('error: ')]
    assert len(told) == 1 and 'Traceback' not in done.stderr
    assert f'MB are free in {folder}' in told[0]
    names = checkpoints(folder)
    assert 'epoch_1.pth' in names
    assert not [name for name in names if not name.endswith('.pth')]
    for name in names:
        check_file(folder / name)
