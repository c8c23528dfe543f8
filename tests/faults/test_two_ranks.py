"""Two processes go on exactly, after a signal to one of them."""
from pathlib import Path
from typing import Any

import pytest
import torch
from host_tools import CONFIG, ROOT, run_ranks
from nested import differences

from mmvideomamba.checkpoints import read_checkpoint
from mmvideomamba.exit_codes import PREEMPTED

pytestmark = pytest.mark.slow

# Signals itself in iteration 5, between two steps of the optimizer.
SIGNALLED = """
_base_ = {base!r}
custom_imports = dict(imports=['mmvideomamba', 'kill_hook'])
custom_hooks = [
    *_base_.custom_hooks,
    dict(type='KillHook', iteration=5, signal='SIGUSR1', rank=1)
]
"""


def two_gpus() -> Any:
    return pytest.mark.skipif(
        torch.cuda.device_count() < 2, reason='needs two GPUs')


@pytest.mark.parametrize(
    'gpus', ['', pytest.param('0,1', marks=[pytest.mark.gpu,
                                            two_gpus()])])
def test_signal_to_one_of_two(clips: Path, tmp_path: Path, gpus: str) -> None:
    signalled = tmp_path / 'signalled.py'
    signalled.write_text(SIGNALLED.format(base=str(CONFIG)))

    def train(name: str, config: Path) -> Any:
        return run_ranks(
            2,
            ROOT / 'tools/train.py',
            config,
            '--work-dir',
            tmp_path / name,
            '--resume',
            '--cfg-options',
            'optim_wrapper.accumulative_counts=2',
            'train_dataloader.batch_size=1',
            'train_cfg.max_epochs=2',
            cwd=clips,
            gpus=gpus)

    done = train('whole', CONFIG)
    assert done.returncode == 0, done.stderr
    done = train('cut', signalled)
    assert done.returncode == PREEMPTED, done.stderr
    assert [x.name for x in (tmp_path / 'cut').glob('iter_*')]
    done = train('cut', CONFIG)
    assert done.returncode == 0, done.stderr
    whole, found = (
        read_checkpoint(tmp_path / name / 'epoch_2.pth')
        for name in ('whole', 'cut'))
    for part in ('state_dict', 'optimizer', 'param_schedulers'):
        assert not differences(found[part], whole[part], part)
