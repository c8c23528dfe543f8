"""Resize of the shorter side; the longer side is rounded down."""
from typing import Any, Dict

from mmaction.datasets.transforms import Resize
from mmcv.transforms import BaseTransform

from mmvideomamba.registry import TRANSFORMS


@TRANSFORMS.register_module()
class ResizeShortEdge(BaseTransform):
    """Resize frames by the shorter side, with the published rounding.

    A clip of ``w x h`` pixels with ``w > h`` becomes ``int(w * scale / h) x
    scale``. ``Resize(scale=(-1, scale))`` of mmaction2 rounds instead, and a
    longer side of another length moves every pixel of a view. Everything
    else, keypoints, boxes and lazy mode included, is done by mmaction2's
    ``Resize``.

    Required Keys:

    - img_shape (tuple[int]): Height and width
    - imgs (list[np.ndarray], optional)
    - keypoint, gt_bboxes, proposals (np.ndarray, optional)

    Modified Keys:

    - img_shape, imgs, keypoint, gt_bboxes, proposals, lazy

    Added Keys:

    - keep_ratio (bool): True
    - scale_factor (np.ndarray): Of width and height, float32

    Args:
        scale (int): Length of the shorter side, in pixels.
        interpolation (str): 'nearest', 'bilinear', 'bicubic', 'area' or
            'lanczos', OpenCV's. Defaults to 'bilinear'.
        lazy (bool): Whether ``Fuse`` resizes later. Defaults to False.

    Raises:
        ValueError: If ``scale`` is not an integer of at least 1.

    Source: the recipe of VideoMamba, arXiv:2403.06977, Appendix.
    """

    def __init__(self,
                 scale: int,
                 interpolation: str = 'bilinear',
                 lazy: bool = False) -> None:
        if not isinstance(scale, int) or scale < 1:
            raise ValueError('scale of ResizeShortEdge must be an integer of '
                             'at least 1, the shorter side in pixels, but is '
                             f'{scale!r}')
        self.scale = scale
        self.interpolation = interpolation
        self.lazy = lazy

    def transform(self, results: Dict[str, Any]) -> Dict[str, Any]:
        """Resize the frames of a sample.

        Args:
            results (dict): The sample, with the required keys.

        Returns:
            dict: The sample, with the modified and added keys.
        """
        height, width = results['img_shape']
        short = min(height, width)
        # Whole-numbered, so free of rounding: int(long * scale / short).
        size = width * self.scale // short, height * self.scale // short
        # With keep_ratio=True, the host would round the longer side anew.
        resize = Resize(size, False, self.interpolation, self.lazy)
        results = resize.transform(results)
        results['keep_ratio'] = True
        return results

    def __repr__(self) -> str:
        return (f'{self.__class__.__name__}(scale={self.scale}, '
                f'interpolation={self.interpolation!r}, lazy={self.lazy})')
