"""The DropPath draws of all blocks in one launch."""
import torch
from common import small_backbone
from torch import nn


class Wrapped(nn.Module):
    """A block in another module."""

    def __init__(self, block):
        super().__init__()
        self.block = block

    def forward(self, hidden, residual, order):
        return self.block(hidden, residual, order)


def test_all_drops_are_drawn_at_once(monkeypatch):
    model = small_backbone(
        arch=dict(embed_dims=16, num_layers=4), drop_path_rate=0.5).train()
    x, shapes, rand = torch.randn(3, 3, 4, 16, 16), [], torch.rand

    def look(shape, **kwargs):
        shapes.append(tuple(shape))
        return rand(shape, **kwargs)

    monkeypatch.setattr(torch, 'rand', look)
    model(x)
    # No drop enters the first two blocks; the fifth drop follows the last
    # block.
    assert shapes == [(3, 4)]
    # A module in the place of a block gets no draw.
    model.layers[2] = Wrapped(model.layers[2])
    model(x)
    assert shapes[1:] == [(2, 4), (3, 1, 1)]
    model.eval()(x)
    assert len(shapes) == 3
