"""Hook for the augmentation of clips on the GPU instead of in workers."""
import logging
from typing import Any, Iterator, List, Optional

from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import BaseLoop, Runner
from torch.utils.data import DataLoader
from torch.utils.hooks import RemovableHandle

from mmvideomamba.datasets.inner_sets import inner_sets
from mmvideomamba.datasets.transforms.draw_clip import DrawClip, split_pipeline
from mmvideomamba.engine.clip_maker import attach_clip_maker
from mmvideomamba.engine.inner_model import inner_model
from mmvideomamba.ops.clip_augment import clip_augment_support
from mmvideomamba.registry import HOOKS
from mmvideomamba.user_error import UserError
from .bad_media_loaders import begin_anew, loaders_of

PLACES = ('auto', 'workers', 'device')


def draw_only(dataset: Any) -> str:
    """Let the workers of a data set draw the augmentation, no more.

    Args:
        dataset (Dataset): Of a training; wrappers are looked into.

    Returns:
        str: '' if all pipelines were changed; else the reason, and none was.
    """
    inner = list(inner_sets(dataset))
    parts: List[List[Any]] = []
    for one in inner:
        steps = getattr(getattr(one, 'pipeline', None), 'transforms', None)
        if steps is None:
            return f'{type(one).__name__} has no pipeline'
        first, rest, reason = split_pipeline(steps)
        if reason:
            return reason
        parts.append([*first, DrawClip(rest)])
    for one, found in zip(inner, parts):
        one.pipeline.transforms = found
    return ''


def draw_and_compute(dataset: Any) -> None:
    """Undo ``draw_only``.

    Args:
        dataset (Dataset): Of a training; wrappers are looked into.
    """
    for one in inner_sets(dataset):
        steps = getattr(getattr(one, 'pipeline', None), 'transforms', None)
        if steps and isinstance(steps[-1], DrawClip):
            one.pipeline.transforms = [*steps[:-1], *steps[-1].steps]


@HOOKS.register_module()
class ClipAugmentHook(Hook):
    """Choose where the clips of a training are augmented.

    On the device, a worker decodes frames and draws operations, box, flip
    and erased box, see ``DrawClip``; the GPU computes all clips of a batch in
    a few launches, before the data preprocessor of the model normalises and
    mixes the clips. Clips equal those of the workers up to rounding, and
    follow from seed, epoch and position as before. Frames travel as decoded,
    in uint8, once for all copies of a video.

    Validation and test do not change.

    Args:
        on (str): 'device'; 'workers'; 'auto' for the device if the model is
            on a GPU with Triton and each step of the training pipeline has a
            counterpart there, with a reason in the log where a GPU cannot.
            Defaults to 'auto'.

    Raises:
        UserError: If ``on`` is unknown, or with 'device' if the device
            cannot augment the clips of the training.
    """

    # Before the hooks that start the workers of a loop anew.
    priority = 'HIGHEST'

    def __init__(self, on: str = 'auto') -> None:
        if on not in PLACES:
            raise UserError(f'on of ClipAugmentHook must be one of '
                            f'{list(PLACES)}, but is {on!r}')
        self.on = on
        self.handle: Optional[RemovableHandle] = None

    def before_run(self, runner: Runner) -> None:
        """Change the data set and the data preprocessor of a training.

        Args:
            runner (Runner): The runner, with the model on its device.

        Raises:
            UserError: If ``on='device'`` is impossible.
        """
        # An interrupted training leaves the data set as it was then.
        self.after_run(runner)
        loop = runner._train_loop
        if self.on == 'workers' or not isinstance(loop, BaseLoop):
            return
        model: Any = inner_model(runner.model)
        loaders = loaders_of(loop.dataloader)
        reason = _shared(runner) or self._change(model, loaders)
        if reason and self.on == 'device':
            message = (f"on='device' of ClipAugmentHook: {reason}; "
                       "on='workers' augments clips in the workers of the "
                       'loader')
            raise UserError(message if is_main_process() else '')
        if reason and next(model.parameters()).is_cuda:
            print_log(f'clips are augmented by the workers: {reason}',
                      'current', logging.INFO)
        if reason:
            return
        self.handle = attach_clip_maker(model.data_preprocessor)
        print_log('clips are augmented on the device', 'current', logging.INFO)
        # The host's loop by iterations has started workers with the old steps.
        begin_anew(loop, loaders[0])

    def after_run(self, runner: Runner) -> None:
        """Give data set and data preprocessor back.

        Args:
            runner (Runner): The runner.
        """
        if isinstance(runner._train_loop, BaseLoop):
            for dataset in _sets_of(runner._train_loop.dataloader):
                draw_and_compute(dataset)
        if self.handle is not None:
            self.handle.remove()
            self.handle = None

    @staticmethod
    def _change(model: Any, loaders: List[Any]) -> str:
        """Let the workers of the loaders draw only, or tell why not."""
        preprocessor: Any = getattr(model, 'data_preprocessor', None)
        if not hasattr(preprocessor, 'device'):
            return 'the model has no data preprocessor of the host'
        reason = clip_augment_support(preprocessor.device)
        if reason:
            return reason
        if len(loaders) != 1 or not isinstance(loaders[0], DataLoader):
            return 'the training has several loaders'
        return draw_only(loaders[0].dataset)


def _sets_of(loader: Any) -> Iterator[Any]:
    """Yield the data sets of a loop's loaders; other iterables have none."""
    for one in loaders_of(loader):
        if isinstance(one, DataLoader):
            yield from inner_sets(one.dataset)


def _shared(runner: Runner) -> str:
    """Name a loop besides the training that reads the same data set."""
    own = {id(x) for x in _sets_of(runner.train_dataloader)}
    loops = dict(validation=runner._val_loop, test=runner._test_loop)
    for name, loop in loops.items():
        if isinstance(loop, BaseLoop) and any(
                id(x) in own for x in _sets_of(loop.dataloader)):
            return f'the {name} reads the same data set object'
    return ''
