"""The inner model of a wrapper is returned; a plain model is unchanged."""
from mmengine.model import MMDistributedDataParallel
from torch import nn

from mmvideomamba.engine.inner_model import inner_model


def test_inner_model() -> None:
    model = nn.Linear(1, 1)
    assert inner_model(model) is model
    wrapper = MMDistributedDataParallel.__new__(MMDistributedDataParallel)
    nn.Module.__init__(wrapper)
    wrapper.module = model
    assert inner_model(wrapper) is model
