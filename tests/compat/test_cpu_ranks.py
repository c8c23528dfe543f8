"""Several processes start on a machine without a GPU."""
from pathlib import Path

import mmengine.device
import mmengine.dist.utils
import pytest
import torch

from mmvideomamba.compat import cpu_ranks

pytestmark = pytest.mark.skipif(
    torch.cuda.is_available(), reason='needs a machine without CUDA')


def test_gloo_group_starts(tmp_path: Path) -> None:
    mmengine.dist.utils._init_dist_pytorch(
        'gloo', init_method=f'file://{tmp_path}/s', rank=0, world_size=1)
    assert torch.distributed.get_backend() == 'gloo'
    torch.distributed.destroy_process_group()


def test_other_backends_go_to_mmengine(monkeypatch) -> None:
    monkeypatch.setenv('RANK', '0')
    monkeypatch.setenv('LOCAL_RANK', '0')
    with pytest.raises((AssertionError, RuntimeError)):
        mmengine.dist.utils._init_dist_pytorch('nccl')
    assert not torch.distributed.is_initialized()


def test_sound_machine(monkeypatch) -> None:
    assert 'no accelerator' in cpu_ranks.WORKAROUND.cause()
    monkeypatch.setattr(mmengine.device, 'get_device', lambda: 'cuda')
    assert cpu_ranks.WORKAROUND.cause() == ''
