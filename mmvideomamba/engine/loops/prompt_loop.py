"""Evaluation of recognition by prompts."""
from typing import Any, Dict

from mmengine.runner import BaseLoop, TestLoop, ValLoop, autocast

from mmvideomamba.engine.inner_model import inner_model
from mmvideomamba.registry import LOOPS


class _PromptMixin(BaseLoop):
    """Give the model the classes of the data set, then run as the host."""

    fp16: bool

    def run(self) -> Dict[str, float]:
        """Run the evaluation.

        Returns:
            dict[str, float]: Of the evaluator.

        Raises:
            ValueError: If the data set names no classes, or the model takes
                none.
        """
        model: Any = inner_model(self.runner.model)
        if not hasattr(model, 'set_classes'):
            raise ValueError(
                f'{type(self).__name__} needs a model that takes classes, '
                'mmvideomamba.VideoTextClassifier, but has '
                f'{type(model).__name__}')
        meta = getattr(self.dataloader.dataset, 'metainfo', None) or {}
        classes = meta.get('wordings') or meta.get('classes')
        if not classes or isinstance(classes, str):
            found = f'{classes!r}, a missing file' if classes else 'none'
            raise ValueError(
                'recognition by prompts needs the names of the classes, but '
                f'metainfo.classes of the data set is {found}; set '
                'dataset.metainfo=dict(classes=FILE), a text with a name a '
                'line in the order of the labels')
        model.eval()
        with autocast(enabled=self.fp16):
            prompts = model.set_classes(classes)
        count = sum(map(len, prompts))
        self.runner.logger.info(
            f'{len(prompts)} classes by {count} prompts, such as '
            f'{prompts[0][0]!r}')
        return super().run()


@LOOPS.register_module()
class PromptValLoop(_PromptMixin, ValLoop):
    """Validate a ``VideoTextClassifier`` on the classes of the data set.

    The names of the classes are those of ``metainfo`` of the data set, such
    as ``CheckedVideoDataset`` with a file of names or
    ``CaptionClassDataset``. All else is the host's loop.

    Args:
        runner (Runner): The runner.
        dataloader (DataLoader | dict): Of samples with a label.
        evaluator (Evaluator | dict | list): ``PromptAccMetric``, or the
            host's ``AccMetric``.
        fp16 (bool): Whether to compute in mixed precision. Defaults to
            False.
    """


@LOOPS.register_module()
class PromptTestLoop(_PromptMixin, TestLoop):
    """Test by prompts; see ``PromptValLoop``.

    Args:
        runner (Runner): The runner.
        dataloader (DataLoader | dict): See ``PromptValLoop``.
        evaluator (Evaluator | dict | list): See ``PromptValLoop``.
        fp16 (bool): See ``PromptValLoop``. Defaults to False.
    """
