"""Gradients between two steps of the optimizer are kept."""
from pathlib import Path

import pytest
import torch
from preloaded_python import spawn
from torch import nn

from mmvideomamba.engine.pending_gradients import (gather_gradients,
                                                   restore_gradients)


def model(value: float = 0.) -> nn.Module:
    """Build a model with gradients for the first of two layers."""
    model = nn.Sequential(nn.Linear(2, 1, bias=False), nn.Linear(1, 1))
    if value:
        model[0].weight.grad = torch.full((1, 2), value)
    return model


def test_round_trip() -> None:
    assert gather_gradients(model()) is None
    found = gather_gradients(model(3.))
    assert found is not None and [*found[0]] == ['0.weight']
    new = model()
    restore_gradients(new, found)
    assert new[0].weight.grad.tolist() == [[3., 3.]]
    assert new[1].weight.grad is None
    new[0].weight.grad += 1  # no alias
    assert found[0]['0.weight'].tolist() == [[3., 3.]]


def test_another_number_of_processes_gets_the_mean() -> None:
    new = model()
    restore_gradients(new, [{
        '0.weight': torch.full((1, 2), x)
    } for x in (1., 3.)])
    assert new[0].weight.grad.tolist() == [[2., 2.]]


def work(rank: int, folder: str) -> None:
    torch.distributed.init_process_group(
        'gloo', init_method=f'file://{folder}/meet', rank=rank, world_size=2)
    found = gather_gradients(model(1. + rank))
    new = model()
    if rank == 0:
        torch.save(found, f'{folder}/found.pth')
    torch.distributed.barrier()
    restore_gradients(new, torch.load(f'{folder}/found.pth'))
    assert new[0].weight.grad.tolist() == [[1. + rank] * 2]
    assert (found is None) == bool(rank)
    torch.distributed.destroy_process_group()


@pytest.mark.slow
def test_each_process_gets_its_own(tmp_path: Path) -> None:
    spawn(work, (str(tmp_path), ), 2)
    assert len(torch.load(tmp_path / 'found.pth')) == 2
