"""CUDA graphs of two processes train as the host's wrapper, to the bit."""
from pathlib import Path

import pytest
import torch
from preloaded_python import free_port
from step_graph_run import check_ranks, train_on_rank
from torch.multiprocessing import spawn

pytestmark = [
    pytest.mark.gpu, pytest.mark.slow,
    pytest.mark.skipif(
        not torch.cuda.is_available(), reason='no CUDA device is available')
]


@pytest.mark.parametrize(
    'backend',
    [
        # Gloo lets the processes share a GPU, NCCL does not.
        'gloo',
        pytest.param(
            'nccl',
            marks=pytest.mark.skipif(
                torch.cuda.device_count() < 2,
                reason='fewer than two CUDA devices are available'))
    ])
def test_two_processes(tmp_path: Path, backend: str) -> None:
    spawn(
        train_on_rank, (str(tmp_path), free_port(), 'cuda', backend), nprocs=2)
    check_ranks(tmp_path)
