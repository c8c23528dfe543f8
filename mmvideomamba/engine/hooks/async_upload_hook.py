"""Hook that lets batches go to the GPU while the GPU works."""
from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import BaseLoop, Runner
from torch.utils.data import DataLoader

from mmvideomamba.engine.inner_model import inner_model
from mmvideomamba.registry import HOOKS
from .bad_media_loaders import loaders_of


def uploads(preprocessor: Any) -> bool:
    """Tell whether a data preprocessor copies batches to a GPU.

    Args:
        preprocessor (BaseDataPreprocessor, optional): Of a model.

    Returns:
        bool: False for a preprocessor without mmengine's setting.
    """
    return hasattr(preprocessor,
                   '_non_blocking') and preprocessor.device.type == 'cuda'


@HOOKS.register_module()
class AsyncUploadHook(Hook):
    """Copy the batches of a training to the GPU without waiting.

    The host's data preprocessors copy each clip and each label alone, and
    wait for the GPU after each copy, so the GPU is idle between two steps.
    Here the loader puts the clips into pinned memory, and the copies
    only queue up. On a CPU nothing changes.

    Args:
        pin_memory (bool): Whether the loader pins the clips. Without pinned
            memory the host still waits for the copies of clips. Defaults to
            True; False for hosts with little memory, as up to
            ``num_workers * prefetch_factor`` batches are pinned.
    """

    # Before ResumeHook exchanges the loaders.
    priority = 'HIGHEST'

    def __init__(self, pin_memory: bool = True) -> None:
        self.pin_memory = pin_memory

    def before_run(self, runner: Runner) -> None:
        """Set loader and data preprocessor of a training.

        Args:
            runner (Runner): The runner, with the model on its device.
        """
        preprocessor: Any = getattr(
            inner_model(runner.model), 'data_preprocessor', None)
        # The public attribute would build a loop that a test leaves out.
        loop = runner._train_loop
        if not isinstance(loop, BaseLoop) or not uploads(preprocessor):
            return
        preprocessor._non_blocking = True
        for loader in loaders_of(loop.dataloader):
            if self.pin_memory and isinstance(loader, DataLoader):
                loader.pin_memory = True
