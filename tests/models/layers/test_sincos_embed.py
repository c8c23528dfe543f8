"""The fixed code of positions, against its formula."""
import math

import torch

from mmvideomamba.models.layers import sincos_embed


def test_formula() -> None:
    found = sincos_embed(50, 7)
    assert found.shape == (50, 7) and found.dtype == torch.float32
    for p, j in ((0, 0), (0, 1), (3, 2), (49, 5), (49, 6)):
        angle = p / 10000**(2 * (j // 2) / 7)
        wanted = math.cos(angle) if j % 2 else math.sin(angle)
        assert abs(found[p, j].item() - wanted) < 1e-6
