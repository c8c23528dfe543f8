"""Hook that compares what the parts of a config say about each other."""
import logging
from typing import Any, List, Optional

from mmengine.dist import get_world_size
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import BaseLoop, Runner
from torch import nn
from torch.utils.data import DataLoader

from mmvideomamba.config_check import (ConfigError, empty_epoch_fault,
                                       value_faults, value_warnings)
from mmvideomamba.datasets.inner_sets import inner_sets
from mmvideomamba.engine.inner_model import inner_model
from mmvideomamba.registry import HOOKS


def _inside(loader: DataLoader) -> Any:
    """Return the data set of a loader, the first inside of wrappers."""
    return next(iter(inner_sets(loader.dataset)), loader.dataset)


def _attribute(loader: DataLoader, name: str) -> Any:
    """Return the last value among the steps of a pipeline, or None."""
    pipeline = getattr(_inside(loader), 'pipeline', None)
    values = [
        getattr(step, name) for step in getattr(pipeline, 'transforms', [])
        if hasattr(step, name)
    ]
    return values[-1] if values else None


def _empty_epoch(loader: Any) -> List[str]:
    """Refuse a loader without a batch; streams of unknown length pass."""
    try:
        batches, samples = len(loader), len(loader.dataset)
    except (AttributeError, TypeError):
        return []
    # ModalityLoader, which joins loaders, has no batch size.
    return empty_epoch_fault(batches, samples,
                             getattr(loader, 'batch_size', None),
                             get_world_size())


@HOOKS.register_module()
class CheckConfigHook(Hook):
    """Refuse a recognizer whose data do not fit it, before the first batch.

    The number of frames, views and classes is written down several times in
    a config: in the backbone, the head, the mixing of batches, the data sets
    and their pipelines. Where they differ the training would end in an error
    about shapes, or not at all. Compared are

    - ``clip_len`` of the sampler and ``num_frames`` of the backbone;
    - ``num_classes`` of the head, the data set and the mixing, and whether
      head and data set are both for regression, or both for several classes;
    - the views: one per training sample, and batches of one video where
      ``model.test_cfg.max_testing_views`` is set;
    - ``num_repeats`` of the data set and the loader's ``collate_fn``;
    - the windows of the data set and a sampler that knows them.

    Other models pass these. Of any model the hook compares what
    :mod:`mmvideomamba.config_check` does, and refuses an epoch without a
    batch. What a part does not say is not compared.
    """

    priority = 'VERY_HIGH'

    def before_run(self, runner: Runner) -> None:
        """Check the text of the config.

        Args:
            runner (Runner): The runner.

        Raises:
            ConfigError: If parts of the config differ.
        """
        training = isinstance(runner._train_loop, BaseLoop)
        for warning in value_warnings(runner.cfg, training):
            print_log(warning, 'current', logging.WARNING)
        faults = value_faults(runner.cfg, training)
        if faults:
            raise ConfigError(faults)

    def before_train(self, runner: Runner) -> None:
        """Check the training's loader, and the validation's if there is one.

        Args:
            runner (Runner): The runner.

        Raises:
            ConfigError: If parts of the config differ.
        """
        faults = _empty_epoch(runner.train_loop.dataloader)
        if faults:
            raise ConfigError(faults)
        loops = dict(train=runner.train_loop)
        if runner.val_loop is not None:
            loops['val'] = runner.val_loop
        self._check(runner, **loops)

    def before_val(self, runner: Runner) -> None:
        """Check the validation's loader.

        Args:
            runner (Runner): The runner.

        Raises:
            ConfigError: If parts of the config differ.
        """
        self._check(runner, val=runner.val_loop)

    def before_test(self, runner: Runner) -> None:
        """Check the test's loader.

        Args:
            runner (Runner): The runner.

        Raises:
            ConfigError: If parts of the config differ.
        """
        self._check(runner, test=runner.test_loop)

    def _check(self, runner: Runner, **loops: Any) -> None:
        """Raise ConfigError with all faults of some loaders."""
        model = inner_model(runner.model)
        # What a recognizer has; mmaction's models are not imported for it.
        if not hasattr(model, 'cls_head'):
            return
        faults = []
        for part, loop in loops.items():
            faults += self._faults(model, loop.dataloader, part)
        if faults:
            raise ConfigError(faults)

    def _faults(self, model: nn.Module, loader: DataLoader,
                part: str) -> List[str]:
        """List what does not fit between the model and a loader."""
        faults = [
            self._frames(model, loader, part),
            self._classes(model, loader, part),
            self._windows(loader, part)
        ]
        faults += self._views(model, loader, part)
        return [fault for fault in faults if fault]

    @staticmethod
    def _frames(model: nn.Module, loader: DataLoader,
                part: str) -> Optional[str]:
        frames = getattr(model.backbone, 'num_frames', None)
        clip_len = _attribute(loader, 'clip_len')
        if None in (frames, clip_len) or frames == clip_len:
            return None
        return (f'{part}_dataloader samples clip_len={clip_len} frames, but '
                f'model.backbone.num_frames={frames}; set both to the same '
                '(checkpoints adapt)')

    @staticmethod
    def _classes(model: nn.Module, loader: DataLoader,
                 part: str) -> Optional[str]:
        head = getattr(model, 'cls_head', None)
        dataset = _inside(loader)
        numbers = getattr(dataset, 'regression', None)
        if head is None or numbers is None:
            return None
        if numbers != hasattr(head, 'predicts_number'):
            return (f'{part}_dataloader.dataset.regression={numbers}, but '
                    f'model.cls_head is a {type(head).__name__}; numbers need '
                    'mmvideomamba.VideoMambaRegressionHead, classes need '
                    'another')
        blending = getattr(model.data_preprocessor, 'blending', None)
        if numbers:
            return blending and ('model.data_preprocessor.blending mixes '
                                 'classes, but labels are numbers; remove it')
        several = getattr(dataset, 'multi_class', False)
        if several != getattr(head, 'multi_class', several):
            return (f'{part}_dataloader.dataset.multi_class={several}, but '
                    f'model.cls_head.multi_class={not several}; set both to '
                    "the same, and with several classes of a video loss_cls="
                    "dict(type='BCELossWithLogits')")
        found = {
            'model.cls_head':
            head.num_classes,
            f'{part}_dataloader.dataset':
            dataset.num_classes,
            'model.data_preprocessor.blending':
            getattr(blending, 'num_classes', None),
        }
        found = {k: v for k, v in found.items() if v is not None}
        if len(set(found.values())) < 2:
            return None
        return 'the numbers of classes differ: ' + ', '.join(
            f'{name}.num_classes={count}' for name, count in found.items())

    @staticmethod
    def _windows(loader: DataLoader, part: str) -> Optional[str]:
        window = getattr(_inside(loader), 'window', None)
        if window is None or _attribute(loader, 'samples_windows'):
            return None
        return (f'{part}_dataloader.dataset.window={window} cuts videos into '
                'windows, but the sampler takes frames of whole videos; set '
                'window=None, or sample with '
                'mmvideomamba.UniformWindowSample')

    @staticmethod
    def _views(model: nn.Module, loader: DataLoader, part: str) -> List[str]:
        faults = []
        clips = _attribute(loader, 'num_clips')
        if part == 'train' and clips not in (None, 1):
            faults.append(
                f'the sampler of train_dataloader has num_clips={clips}, but '
                'a training sample is one clip; num_repeats of the data set '
                'makes copies')
        cfg = getattr(model, 'test_cfg', None) or {}
        views = cfg.get('max_testing_views')
        if part != 'train' and views and loader.batch_size != 1:
            faults.append(f'model.test_cfg.max_testing_views={views} needs '
                          f'{part}_dataloader.batch_size=1, but it is '
                          f'{loader.batch_size}')
        repeats = getattr(_inside(loader), 'num_repeats', 1)
        collate = getattr(loader.collate_fn, 'func', loader.collate_fn)
        name = getattr(collate, '__name__', '')
        if (repeats > 1) != (name == 'repeat_pseudo_collate'):
            faults.append(
                f'{part}_dataloader.dataset.num_repeats={repeats} with '
                f'collate_fn {name}; copies need '
                "collate_fn=dict(type='repeat_pseudo_collate'), single clips "
                "need dict(type='pseudo_collate')")
        return faults
