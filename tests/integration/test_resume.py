"""A killed and resumed training equals an uninterrupted training."""
import signal
from pathlib import Path

import pytest
import torch
from host_tools import CONFIG, KILLED_CONFIG, run_tool
from mmengine.runner.checkpoint import CheckpointLoader
from nested import differences

pytestmark = pytest.mark.slow


def load(folder: Path, epoch: int) -> dict:
    return CheckpointLoader.load_checkpoint(
        str(folder / f'epoch_{epoch}.pth'), map_location='cpu')


def test_killed_and_resumed_run_ends_with_the_same_weights(
        clips: Path, trained: Path) -> None:
    folder = clips / 'killed'
    killed = run_tool(
        'train.py', KILLED_CONFIG, '--work-dir', folder, cwd=clips)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert sorted(p.name for p in folder.glob('epoch_*')) == ['epoch_1.pth']

    resumed = run_tool(
        'train.py', CONFIG, '--work-dir', folder, '--resume', cwd=clips)
    assert resumed.returncode == 0, resumed.stderr
    assert 'resumed epoch: 1, iter: 4' in resumed.stderr + resumed.stdout

    expected, found = load(trained, 3), load(folder, 3)
    for part in ('state_dict', 'optimizer', 'param_schedulers'):
        assert not differences(found[part], expected[part], part)
    before = load(trained, 1)['state_dict']
    assert any(not torch.equal(before[k], v)
               for k, v in expected['state_dict'].items())
