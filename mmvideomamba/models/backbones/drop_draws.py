"""Numbers for the stochastic depth of a whole pass, drawn at once."""
from typing import Any, List, Optional

import torch
from torch import Tensor

from mmvideomamba.ops import being_traced
from ..layers import MambaBlock, drop_prob_of, takes_draw


def draw_drops(backbone: Any, hidden: Tensor) -> List[Optional[Tensor]]:
    """Draw the numbers for all drops of a pass in a single launch.

    Args:
        backbone (VideoMamba): The backbone.
        hidden (Tensor): Embedded tokens, shape (b, l, c).

    Returns:
        list: Uniform numbers, shape (b, ), float32, for each running block
        and for the trunk's end; None where nothing is dropped or a
        ``drop_path`` is called.
    """
    probs = _drop_probs(backbone)
    draws: List[Optional[Tensor]] = [None] * len(probs)
    count = sum(prob > 0 for prob in probs)
    if not count or being_traced(hidden):
        return draws
    b = hidden.shape[0]
    # Rows start at multiples of 16 bytes, for a quick launch of kernels.
    numbers = torch.rand((count, -(-b // 4) * 4),
                         dtype=torch.float32,
                         device=hidden.device)
    rows = iter(numbers[:, :b].unbind())
    return [next(rows) if prob > 0 else None for prob in probs]


def _drop_probs(backbone: Any) -> List[float]:
    """Return the probability of each drop, 0 for a drop without a number."""
    last = backbone.last_index
    blocks = list(backbone.layers)
    probs = [0.]  # The first block has nothing to drop.
    for block in blocks[1:last + 1]:
        own = type(block) is MambaBlock and 'forward' not in vars(block)
        probs.append(block.drop_prob() if own else 0.)
    owner = (blocks + [backbone])[last + 1]
    takes = last not in backbone.out_indices or takes_draw(backbone.norm_f)
    return probs + [drop_prob_of(owner.drop_path) if takes else 0.]
