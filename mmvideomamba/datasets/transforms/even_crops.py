"""Square crops spread over the longer side of a clip, as published."""
from typing import Any, Dict

import numpy as np
from mmcv.transforms import BaseTransform

from mmvideomamba.registry import TRANSFORMS


@TRANSFORMS.register_module()
class EvenCrops(BaseTransform):
    """Cut square crops at even distances along the longer side.

    Crop j of q starts at ``int(j * (long - side) / (q - 1))``, along the
    height if both sides are equal. A single crop is the published view of a
    validation and starts at ``(long - side) / 2``, halves rounded to the even
    number. ``ThreeCrop`` of mmaction2 has the same crops in another order,
    the last crop a pixel off where the margin is odd, and ``CenterCrop``
    rounds halves down.

    Required Keys:

    - imgs (list[np.ndarray]): Frames, each (h, w, 3), shorter side
      ``crop_size``

    Modified Keys:

    - imgs (list[np.ndarray]): The frames of the first crop, then the frames of
      the next crop
    - img_shape (tuple[int]): (crop_size, crop_size)

    Added Keys:

    - crop_bbox (np.ndarray): Left, top, right, bottom of each of ``imgs``

    Args:
        crop_size (int): Side of a crop, in pixels.
        num_crops (int): Crops of a clip. Defaults to 3.

    Raises:
        ValueError: If a number is below 1.
    """

    def __init__(self, crop_size: int, num_crops: int = 3) -> None:
        for name, value in dict(
                crop_size=crop_size, num_crops=num_crops).items():
            if value < 1:
                raise ValueError(f'{name} must be at least 1, but is {value}')
        self.crop_size, self.num_crops = crop_size, num_crops

    def transform(self, results: Dict[str, Any]) -> Dict[str, Any]:
        """Replace the frames of a sample by the frames of all crops.

        Args:
            results (dict): The sample, with the required keys.

        Returns:
            dict: The sample, with the modified and added keys.

        Raises:
            ValueError: If the shorter side is not ``crop_size``.
        """
        frames, side = results['imgs'], self.crop_size
        height, width = frames[0].shape[:2]
        if min(height, width) != side:
            raise ValueError(
                f'EvenCrops needs a shorter side of {side} pixels, but the '
                f'frames are {height} x {width}; put '
                f'mmvideomamba.ResizeShortEdge(scale={side}) before it')
        margin = max(height, width) - side
        imgs, boxes = [], []
        for j in range(self.num_crops):
            start = round(margin / 2) if self.num_crops == 1 else int(
                j * margin / (self.num_crops - 1))
            top, left = (start, 0) if height >= width else (0, start)
            imgs += [f[top:top + side, left:left + side] for f in frames]
            boxes += [(left, top, left + side, top + side)] * len(frames)
        results['imgs'] = imgs
        results['img_shape'] = (side, side)
        results['crop_bbox'] = np.array(boxes)
        return results

    def __repr__(self) -> str:
        return (f'{self.__class__.__name__}(crop_size={self.crop_size}, '
                f'num_crops={self.num_crops})')
