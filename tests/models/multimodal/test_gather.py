import os
from pathlib import Path

import pytest
import torch
from preloaded_python import spawn
from torch import distributed as dist

from mmvideomamba.models.multimodal.gather import gather_features
from mmvideomamba.models.multimodal.losses import contrastive_loss, similarity

PROCESSES, BATCH = 2, 3


def parts() -> tuple:
    generator = torch.Generator().manual_seed(3)
    inputs = torch.randn(PROCESSES * BATCH, 4, generator=generator)
    texts = torch.randn(PROCESSES * BATCH, 4, generator=generator)
    weight = torch.randn(4, 4, generator=generator).requires_grad_()
    temperature = torch.tensor(0.3, requires_grad=True)
    ids = torch.tensor([0, 1, 2, 1, 4, 5])
    return inputs, texts, weight, temperature, ids


def gradients(own: slice, gather_grad: str) -> list:
    """Return loss and gradients, averaged as DDP does."""
    inputs, texts, weight, temperature, ids = parts()
    features = (x[own] @ weight for x in (inputs, texts))
    everyone = (gather_features(x, gather_grad) for x in features)
    loss = contrastive_loss(
        similarity(*everyone, temperature), gather_features(ids[own]))
    loss.backward()
    found = [loss.detach(), weight.grad, temperature.grad]
    if dist.is_initialized():
        for x in found[1:]:
            dist.all_reduce(x)
            x /= PROCESSES
    return found


def work(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group(
        'gloo',
        init_method=f'file://{folder}/meet',
        rank=rank,
        world_size=PROCESSES)
    own = slice(rank * BATCH, (rank + 1) * BATCH)
    found = {k: gradients(own, k) for k in ('own', 'summed')}
    if rank == 0:
        torch.save(found, os.path.join(folder, 'found.pth'))
    dist.destroy_process_group()


@pytest.mark.slow
def test_gradients_across_processes(tmp_path: Path) -> None:
    """'summed' gives the gradient of one process, 'own' gives half."""
    spawn(work, (str(tmp_path), ), PROCESSES)
    found = torch.load(tmp_path / 'found.pth')
    loss, weight, temperature = gradients(slice(None), 'own')
    for kind, share in dict(own=1 / PROCESSES, summed=1.).items():
        torch.testing.assert_close(found[kind][0], loss)
        torch.testing.assert_close(found[kind][1], weight * share)
        torch.testing.assert_close(found[kind][2], temperature)
