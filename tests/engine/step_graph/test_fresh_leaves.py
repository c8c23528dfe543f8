"""New leaves share memory, serve all modules of a weight, and go again."""
import pytest
import torch
from torch import nn

from mmvideomamba.engine.step_graph.fresh_leaves import fresh_leaves


def test_new_leaves_for_a_while() -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    model[1].weight = model[0].weight
    model[1].bias.requires_grad_(False)
    before = dict(model.named_parameters(remove_duplicate=False))
    parameters = [p for p in model.parameters() if p.requires_grad]
    wanted = torch.autograd.grad(model(torch.ones(3)).sum(), parameters)
    with pytest.raises(KeyError):
        with fresh_leaves(model, parameters) as fresh:
            assert model[0].weight is model[1].weight is fresh[0]
            assert model[0].bias is fresh[1]
            assert model[1].bias is before['1.bias']
            for p, q in zip(parameters, fresh):
                assert p is not q and p.data_ptr() == q.data_ptr()
                assert type(q) is nn.Parameter and q.requires_grad
            found = torch.autograd.grad(model(torch.ones(3)).sum(), fresh)
            assert all(map(torch.equal, wanted, found))
            raise KeyError
    after = dict(model.named_parameters(remove_duplicate=False))
    assert list(after) == list(before)
    assert all(after[k] is before[k] for k in before)
