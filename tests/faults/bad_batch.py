"""Hook to put NaN into the batch of an iteration."""
from typing import Any

import torch
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.registry import HOOKS


@HOOKS.register_module()
class BadBatchHook(Hook):
    """Make the first sample of a batch NaN, as a broken cache would.

    Args:
        iteration (int): From 1 on.
        rank (int): Of the process. Defaults to 0.
    """

    priority = 'VERY_HIGH'

    def __init__(self, iteration: int, rank: int = 0) -> None:
        self.iteration, self.rank = iteration, rank

    def before_train_iter(self, runner: Any, batch_idx: int,
                          data_batch: Any) -> None:
        if (runner.iter + 1, get_rank()) == (self.iteration, self.rank):
            inputs = [x.float() for x in data_batch['inputs']]
            inputs[0] = torch.full_like(inputs[0], float('nan'))
            data_batch['inputs'] = inputs
