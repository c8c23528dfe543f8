"""The image data sets of mmpretrain, with a policy for bad images."""
from typing import Any, List, Sequence

from mmpretrain.datasets import CustomDataset, ImageNet

from mmvideomamba.registry import DATASETS
from .bad_media import BadMediaMixin
from .transforms.load_checked_image import LoadCheckedImage

_LOADERS = ('LoadImageFromFile', 'mmcv.LoadImageFromFile',
            'mmpretrain.LoadImageFromFile')


def with_checked_loading(pipeline: Sequence[Any]) -> List[Any]:
    """Load images by ``LoadCheckedImage`` where the host's step is named.

    Args:
        pipeline (Sequence[dict | Callable]): Steps.

    Returns:
        list: The steps; the host's loading is exchanged.
    """
    steps = []
    for step in pipeline:
        if isinstance(step, dict) and step.get('type') in _LOADERS:
            arguments = {k: v for k, v in step.items() if k != 'type'}
            step = LoadCheckedImage(**arguments)
        steps.append(step)
    return steps


@DATASETS.register_module()
class CheckedImageNet(BadMediaMixin, ImageNet):
    """The host's ``ImageNet`` with a policy for bad images.

    Args:
        *args: Arguments of ``ImageNet``.
        pipeline (Sequence[dict | Callable]): Steps; ``LoadCheckedImage``
            takes the place of ``LoadImageFromFile``. Defaults to (), none.
        **kwargs: Arguments of ``BadMediaMixin``, such as ``bad_media``, and
            of ``ImageNet``.
    """

    path_key = 'img_path'

    def __init__(self, *args: Any, pipeline: Sequence[Any] = (),
                 **kwargs: Any) -> None:
        super().__init__(
            *args, pipeline=with_checked_loading(pipeline), **kwargs)


@DATASETS.register_module()
class CheckedImageFolder(BadMediaMixin, CustomDataset):
    """The host's ``CustomDataset`` with a policy for bad images.

    Args:
        *args: Arguments of ``CustomDataset``.
        pipeline (Sequence[dict | Callable]): See ``CheckedImageNet``.
        **kwargs: Arguments of ``BadMediaMixin``, such as ``bad_media``, and
            of ``CustomDataset``.
    """

    path_key = 'img_path'

    def __init__(self, *args: Any, pipeline: Sequence[Any] = (),
                 **kwargs: Any) -> None:
        super().__init__(
            *args, pipeline=with_checked_loading(pipeline), **kwargs)
