"""The host's hook of runtime information, without waiting for a GPU."""
from typing import Any, Optional

from mmengine.hooks import RuntimeInfoHook
from mmengine.runner import Runner

from mmvideomamba.engine.late_scalars import (LateMessageHub, give_back,
                                              on_gpu, take_over)
from mmvideomamba.registry import HOOKS


@HOOKS.register_module()
class LateRuntimeInfoHook(RuntimeInfoHook):
    """Give the losses to the message hub without waiting for a GPU.

    The host's hook reads each loss at once, and so drains the GPU in each
    iteration. Here the losses are copied after the step, arrive at most 4
    iterations late and in order, and whoever reads them waits: histories,
    logs and checkpoints are those of the host's hook, see
    ``LateMessageHub``. On a CPU, and with a message hub of the user's own
    class, the hook is the host's.
    """

    def __init__(self) -> None:
        self.hub: Optional[LateMessageHub] = None

    def before_train(self, runner: Runner) -> None:
        """Let the message hub take values late.

        Args:
            runner (Runner): The runner of the training.
        """
        self.hub = take_over(runner.message_hub)
        super().before_train(runner)

    def after_train_iter(self,
                         runner: Runner,
                         batch_idx: int,
                         data_batch: Any = None,
                         outputs: Optional[dict] = None) -> None:
        """Send for the values of the iteration.

        Args:
            runner (Runner): The runner of the training.
            batch_idx (int): Number of the batch.
            data_batch (Any): Unused. Defaults to None.
            outputs (dict, optional): Values to log. Defaults to None.
        """
        values = outputs or {}
        if self.hub is None or not any(map(on_gpu, values.values())):
            # The hub keeps the order of values of a key.
            super().after_train_iter(runner, batch_idx, data_batch, outputs)
        else:
            self.hub.add_late({f'train/{k}': v for k, v in values.items()})

    def after_train(self, runner: Runner) -> None:
        """Wait for all values.

        Args:
            runner (Runner): The runner of the training.
        """
        if self.hub is not None:
            give_back(self.hub)
        self.hub = None
        super().after_train(runner)
