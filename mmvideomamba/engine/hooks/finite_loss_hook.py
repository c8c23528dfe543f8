"""Hook that ends a training which has diverged."""
from typing import Any, Optional

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmvideomamba.registry import HOOKS


@HOOKS.register_module()
class FiniteLossHook(Hook):
    """End the training at a loss that is infinite or no number.

    Args:
        interval (int): Look at the losses of each ``interval``-th iteration;
            a look waits for the accelerator. Defaults to 50.

    Raises:
        ValueError: If ``interval`` is below 1.
    """

    def __init__(self, interval: int = 50) -> None:
        if interval < 1:
            raise ValueError(f'interval must be at least 1, but is {interval}')
        self.interval = interval

    def after_train_iter(self,
                         runner: Runner,
                         batch_idx: int,
                         data_batch: Any = None,
                         outputs: Optional[dict] = None) -> None:
        """Look at the losses of this process.

        Args:
            runner (Runner): The runner of the training.
            batch_idx (int): Number of the batch in its epoch.
            data_batch (dict, optional): Not used.
            outputs (dict, optional): Values to log, the losses among them.

        Raises:
            RuntimeError: If one of them is infinite or no number.
        """
        if not self.every_n_train_iters(runner, self.interval):
            return
        bad = [
            f'{name} = {float(value)}'
            for name, value in (outputs or {}).items()
            if 'loss' in name and not torch.isfinite(torch.as_tensor(value))
        ]
        if bad:
            raise RuntimeError(
                f'the training has diverged in iteration {runner.iter + 1}: '
                f'{", ".join(bad)}. Go on from an earlier checkpoint with a '
                'lower learning rate, a longer warm-up, or clip_grad')
