import torch
from torch import nn

from mmvideomamba.engine.guard.kept_buffers import KeptBuffers


def test_bad_statistics_are_undone() -> None:
    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    kept = KeptBuffers(model)
    kept.keep()
    before = [x.clone() for x in model.buffers()]
    model(torch.full((4, 2), float('nan')))
    assert not all(map(torch.equal, before, model.buffers()))
    kept.restore(torch.tensor(True))
    assert all(map(torch.equal, before, model.buffers()))
    model(torch.rand(4, 2))
    after = [x.clone() for x in model.buffers()]
    kept.restore(torch.tensor(False))
    assert all(map(torch.equal, after, model.buffers()))
    assert KeptBuffers(None).buffers == []
