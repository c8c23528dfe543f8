"""Graphed modules without a GPU; tests/gpu replays graphs."""
import copy
import pickle

import pytest
import torch
from common import small_backbone

from mmvideomamba.models.backbones.cuda_graph import graphed


@pytest.fixture
def clip() -> torch.Tensor:
    return torch.randn(2, 3, 4, 16, 16)


def test_same_results_without_a_gpu(clip):
    model = small_backbone().eval()
    mask = torch.zeros(2, 16, dtype=torch.bool)
    mask[:, :3] = True
    wanted, masked = model(clip)[0], model(clip, mask)[0]
    assert graphed(model) is model
    for context in (torch.no_grad, torch.inference_mode, torch.enable_grad):
        with context():
            assert torch.equal(model(clip)[0], wanted)
            assert torch.equal(model(x=clip)[0], wanted)
            assert torch.equal(model(clip, mask)[0], masked)
            assert torch.equal(model(clip, mask=mask)[0], masked)


def test_gradients_flow_in_training(clip):
    model = graphed(small_backbone()).train()
    model(clip)[0].sum().backward()
    assert all(p.grad is not None for p in model.parameters())


def test_weights_keep_their_names(clip):
    model = small_backbone()
    names = list(model.state_dict())
    graphed(model)
    assert list(model.state_dict()) == names
    other = small_backbone().eval()
    other.load_state_dict(model.state_dict())
    with torch.no_grad():
        assert torch.equal(model.eval()(clip)[0], other(clip)[0])


@pytest.mark.parametrize('duplicate', [
    copy.deepcopy,
    lambda model: pickle.loads(pickle.dumps(model.forward)).module,
])
def test_a_copy_runs_on_its_own_weights(clip, duplicate):
    model = graphed(small_backbone()).eval()
    other = duplicate(model)
    assert other.forward is not model.forward
    with torch.no_grad():
        other.cls_token += 1.
        found = other(clip)[0]
        wanted = small_backbone().eval()
        wanted.load_state_dict(other.state_dict())
        assert torch.equal(found, wanted(clip)[0])
        assert not torch.equal(found, model(clip)[0])


def test_it_can_be_taken_back(clip):
    model = small_backbone()
    forward = model.forward
    graphed(model)
    assert model.forward != forward
    del model.forward
    assert model.forward == forward


def test_errors_pass_through():
    model = graphed(small_backbone()).eval()
    with torch.no_grad(), pytest.raises(ValueError, match='the input must'):
        model(torch.zeros(1, 3, 4, 8, 8))


def test_bad_number_of_graphs():
    with pytest.raises(ValueError, match='positive, but got 0'):
        graphed(small_backbone(), max_graphs=0)


def test_argument_of_the_backbone(clip):
    plain = small_backbone().eval()
    model = small_backbone(cuda_graph=True).eval()
    model.load_state_dict(plain.state_dict())
    assert 'forward' in vars(model) and 'forward' not in vars(plain)
    with torch.no_grad():
        assert torch.equal(model(clip)[0], plain(clip)[0])
