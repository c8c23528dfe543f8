"""Hook for the priority of the workers of the data loaders."""
from mmengine.hooks import Hook
from mmengine.runner import BaseLoop, Runner
from torch.utils.data import DataLoader

from mmvideomamba.engine.worker_priority import give_way
from mmvideomamba.registry import HOOKS
from mmvideomamba.user_error import UserError
from .bad_media_loaders import begin_anew, loaders_of


@HOOKS.register_module()
class WorkerPriorityHook(Hook):
    """Let the workers of all data loaders give way to the trainer.

    See ``GiveWay``; samples, seeds and the loader's own ``worker_init_fn``
    stay.

    Args:
        nice (int): Added to the niceness of workers; 0 leaves the priority.
            Defaults to 10.

    Raises:
        UserError: If ``nice`` is not an int from 0 to 19.
    """

    # Before ResumeHook exchanges the loaders.
    priority = 'HIGHEST'

    def __init__(self, nice: int = 10) -> None:
        if not isinstance(nice, int) or not 0 <= nice <= 19:
            raise UserError('nice of WorkerPriorityHook must be an int from 0 '
                            f'to 19, but is {nice!r}')
        self.nice = nice

    def before_run(self, runner: Runner) -> None:
        """Set the loaders of training, validation and test.

        Args:
            runner (Runner): The runner, before workers start.
        """
        for loop in (runner._train_loop, runner._val_loop, runner._test_loop):
            if not isinstance(loop, BaseLoop):
                continue
            for loader in loaders_of(loop.dataloader):
                if isinstance(loader, DataLoader) and loader.num_workers:
                    give_way(loader, self.nice)

    def before_train(self, runner: Runner) -> None:
        """Start workers anew that the host's loop has started before.

        Args:
            runner (Runner): The runner, after ``ResumeHook`` exchanged loops.
        """
        for loader in loaders_of(runner.train_loop.dataloader):
            if self.nice and isinstance(loader, DataLoader):
                begin_anew(runner.train_loop, loader)
