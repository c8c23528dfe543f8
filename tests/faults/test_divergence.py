"""A diverging training loses nothing, and names the cause."""
import hashlib
import os
from pathlib import Path
from typing import Any, List

import pytest
import torch
from host_tools import CONFIG, PATH, ROOT, TOOLS
from preloaded_python import Python, free_port

from mmvideomamba.checkpoints.reader import read_checkpoint
from mmvideomamba.exit_codes import DIVERGED

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent
BAD = HERE / 'bad_batch_recognizer.py'
TRAIN = ROOT / 'tools/train.py'


def start(*arguments: Any, cwd: Path, **environment: str) -> Python:
    path = os.pathsep.join([PATH, str(HERE)])
    return Python(arguments, cwd, PYTHONPATH=path, **environment)


def files(folder: Path) -> List[str]:
    return sorted(x.name for x in folder.glob('*.pth'))


def weights(path: Path) -> dict:
    return read_checkpoint(path)['state_dict']


def same_weights(one: Path, other: Path) -> bool:
    first, second = weights(one), weights(other)
    return all(torch.equal(first[k], second[k]) for k in second)


def test_bad_batch(clips: Path, trained: Path, tmp_path: Path) -> None:
    """The epoch before is complete, and a resumed training goes on."""
    done = start(TRAIN, BAD, '--work-dir', tmp_path, cwd=clips).wait()
    text = done.stdout + done.stderr
    assert done.returncode == DIVERGED == 70, text
    assert 'Traceback' not in text
    assert 'diverged in iteration 6: loss = nan' in text
    assert 'the batch held bad values before the forward: data/' in text
    saved = [x for x in files(tmp_path) if not x.startswith('best')]
    assert saved == ['epoch_1.pth', 'replay_iter_6_rank0.pth']
    assert same_weights(tmp_path / 'epoch_1.pth', trained / 'epoch_1.pth')
    # The weights in memory are the weights before the bad step.
    kept = weights(tmp_path / 'replay_iter_6_rank0.pth')
    assert all(bool(x.isfinite().all()) for x in kept.values())
    best = next(tmp_path.glob('best*'))
    before = hashlib.sha256(best.read_bytes()).digest()

    more = start(
        TRAIN, CONFIG, '--resume', '--work-dir', tmp_path, cwd=clips).wait()
    assert more.returncode == 0, more.stdout + more.stderr
    assert same_weights(tmp_path / 'epoch_3.pth', trained / 'epoch_3.pth')
    if best.exists():
        assert hashlib.sha256(best.read_bytes()).digest() == before


def test_learning_rate(clips: Path, tmp_path: Path) -> None:
    """The host's script ends alike, and the step can be repeated."""
    rate = 'optim_wrapper.optimizer.lr=1e12'
    done = start(
        TOOLS / 'train.py',
        CONFIG,
        '--work-dir',
        tmp_path,
        '--cfg-options',
        rate,
        cwd=clips).wait()
    text = done.stdout + done.stderr
    assert done.returncode == DIVERGED, text
    assert 'Traceback' not in text and 'a lower learning rate' in text
    assert 'the first bad output is of ' in text
    named = text.partition('first bad output is of ')[2].partition(' ')[0]
    assert named.startswith(('backbone.', 'cls_head.'))
    assert 'samples: data/' in text
    found = list(tmp_path.glob('replay*'))
    assert len(found) == 1
    assert not list(tmp_path.glob('best*'))

    tool = start(ROOT / 'tools/replay_step.py', found[0], cwd=tmp_path).wait()
    assert tool.returncode == 0, tool.stderr
    again = tool.stdout.partition('Repeated on cpu')[2]
    assert f'the first bad output is of {named} (' in again
    assert 'losses: loss = nan' in again


def test_two_processes(clips: Path, tmp_path: Path) -> None:
    """Both end in the same iteration; process 1 leaves a file."""
    meeting = dict(
        MASTER_ADDR='127.0.0.1',
        MASTER_PORT=str(free_port()),
        WORLD_SIZE='2',
        LOCAL_WORLD_SIZE='2')
    ranks = [
        start(
            TRAIN,
            BAD,
            '--launcher',
            'pytorch',
            '--work-dir',
            tmp_path,
            '--cfg-options',
            'custom_hooks.BadBatchHook.rank=1',
            'custom_hooks.BadBatchHook.iteration=3',
            cwd=clips,
            RANK=str(rank),
            LOCAL_RANK=str(rank),
            **meeting) for rank in range(2)
    ]
    done = [rank.wait() for rank in ranks]
    text = '\n'.join(x.stdout + x.stderr for x in done)
    assert [x.returncode for x in done] == [DIVERGED] * 2, text
    assert 'Traceback' not in text
    assert text.count('diverged in iteration 3: loss = nan') == 1
    assert 'Process 1: the batch held bad values' in text
    assert 'Process 0: ' not in text
    saved = [x for x in files(tmp_path) if not x.startswith('best')]
    assert saved == ['epoch_1.pth', 'replay_iter_3_rank1.pth']
