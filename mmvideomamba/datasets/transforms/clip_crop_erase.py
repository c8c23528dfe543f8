"""Random crop and random erasing with unrounded pixel values."""
from typing import Any, Dict, Optional, Sequence, Tuple

import cv2
import numpy as np
import torch
from mmcv.transforms import BaseTransform
from torchvision.transforms import RandomErasing, RandomResizedCrop

from mmvideomamba.registry import TRANSFORMS

# Pixel statistics of ImageNet, RGB.
MEAN = (123.675, 116.28, 103.53)
STD = (58.395, 57.12, 57.375)


def _without_data(channels: int, height: int, width: int) -> torch.Tensor:
    """Return a tensor with a shape but no data, for torchvision's draws."""
    return torch.empty(channels, height, width, device='meta')


@TRANSFORMS.register_module()
class ClipRandomResizedCrop(BaseTransform):
    """Cut the same random box out of all frames and resize, in float32.

    The published runs normalise pixels first and crop afterwards. Here the
    crop comes first, with unrounded pixels, and the model's data preprocessor
    normalises later: the result is equal, as normalisation is affine and the
    weights of an interpolation sum to 1. Bilinear, pixel centres half-way,
    without anti-aliasing.

    The box is torchvision's: up to ten draws of a share of the area and of
    the logarithm of the aspect ratio until a box fits into the frame, else the
    largest central box with a ratio in the range. Draws use torch's generator.

    Required Keys:

    - imgs (list[np.ndarray]): Frames, each (h, w, 3), uint8 or float32

    Modified Keys:

    - imgs (np.ndarray): Shape (frames, scale, scale, 3), float32, in the
      range of the source
    - img_shape (tuple[int]): (scale, scale)

    Added Keys:

    - crop_bbox (np.ndarray): Shape (4, ), left, top, right, bottom

    Args:
        scale (int): Side of the result, in pixels. Defaults to 224.
        area_range (tuple[float]): Share of the frame. Defaults to
            (0.08, 1.0).
        aspect_ratio_range (tuple[float]): Width by height. Defaults to
            (3 / 4, 4 / 3).

    Raises:
        ValueError: If ``scale`` is below 1 or a range is empty.
    """

    def __init__(
        self,
        scale: int = 224,
        area_range: Tuple[float, float] = (0.08, 1.0),
        aspect_ratio_range: Tuple[float, float] = (3 / 4, 4 / 3)
    ) -> None:
        if scale < 1:
            raise ValueError(f'scale must be at least 1, but is {scale}')
        for name, limits in dict(
                area_range=area_range,
                aspect_ratio_range=aspect_ratio_range).items():
            if not 0 < limits[0] <= limits[1]:
                raise ValueError(f'{name} must be (low, high) with 0 < low <= '
                                 f'high, but is {tuple(limits)}')
        self.scale = scale
        self.area_range = tuple(area_range)
        self.aspect_ratio_range = tuple(aspect_ratio_range)

    def transform(self, results: Dict[str, Any]) -> Dict[str, Any]:
        """Crop and scale the frames of a sample.

        Args:
            results (dict): The sample, with the required keys.

        Returns:
            dict: The sample, with the modified and added keys.
        """
        frames, side = results['imgs'], self.scale
        left, top, right, bottom = self.draw(*frames[0].shape[:2])
        imgs = np.empty((len(frames), side, side, 3), np.float32)
        for frame, out in zip(frames, imgs):
            box = frame[top:bottom, left:right]
            # From uint8, OpenCV would return rounded pixels.
            cv2.resize(
                box.astype(np.float32), (side, side),
                dst=out,
                interpolation=cv2.INTER_LINEAR)
        results['imgs'] = imgs
        results['img_shape'] = (side, side)
        results['crop_bbox'] = np.array([left, top, right, bottom])
        return results

    def draw(self, height: int, width: int) -> Tuple[int, int, int, int]:
        """Draw a box.

        Args:
            height (int): Of the frames, in pixels.
            width (int): Of the frames, in pixels.

        Returns:
            tuple[int, int, int, int]: Left, top, right, bottom.
        """
        top, left, h, w = RandomResizedCrop.get_params(
            _without_data(3, height, width), list(self.area_range),
            list(self.aspect_ratio_range))
        return left, top, left + w, top + h

    def __repr__(self) -> str:
        return (f'{self.__class__.__name__}(scale={self.scale}, '
                f'area_range={self.area_range}, '
                f'aspect_ratio_range={self.aspect_ratio_range})')


@TRANSFORMS.register_module()
class ClipRandomErasing(BaseTransform):
    """Fill the same box of all frames with noise, anew for each pixel.

    As the published runs erase normalised pixels with ``Normal(0, 1)``, the
    noise here is ``Normal(mean, std)`` of each channel, neither rounded nor
    clipped. The box is torchvision's: a share of the area and a log-uniform
    aspect ratio, smaller than the frame, at a uniform place. Draws use
    torch's generator.

    The host's ``RandomErasing`` rounds, clips to 0..255 and never reaches
    the last row and column.

    Required Keys:

    - imgs (np.ndarray): Shape (frames, h, w, 3), float32

    Modified Keys:

    - imgs

    Args:
        erase_prob (float): Probability. Defaults to 0.25.
        area_range (tuple[float]): Share of the frame. Defaults to
            (0.02, 1 / 3).
        aspect_ratio_range (tuple[float]): Height by width. Defaults to
            (0.3, 1 / 0.3).
        mean (Sequence[float]): Mean of the noise, as in the data
            preprocessor. Defaults to ImageNet's mean, RGB, 0..255.
        std (Sequence[float]): Standard deviation of the noise, likewise.

    Raises:
        ValueError: If ``erase_prob`` is not a probability, or the frames are
            not a float32 array.

    Source: Random Erasing, arXiv:1708.04896.
    """

    def __init__(self,
                 erase_prob: float = 0.25,
                 area_range: Tuple[float, float] = (0.02, 1 / 3),
                 aspect_ratio_range: Tuple[float, float] = (0.3, 1 / 0.3),
                 mean: Sequence[float] = MEAN,
                 std: Sequence[float] = STD) -> None:
        if not 0 <= erase_prob <= 1:
            raise ValueError('erase_prob must lie between 0 and 1, but is '
                             f'{erase_prob}')
        self.erase_prob = erase_prob
        self.area_range = tuple(area_range)
        self.aspect_ratio_range = tuple(aspect_ratio_range)
        self.mean = np.array(mean, np.float32)
        self.std = np.array(std, np.float32)

    def transform(self, results: Dict[str, Any]) -> Dict[str, Any]:
        """Erase a box of a sample's frames, or leave them alone.

        Args:
            results (dict): The sample, with the required keys.

        Returns:
            dict: The sample, with ``imgs`` changed.

        Raises:
            ValueError: See the class.
        """
        imgs = results['imgs']
        if not isinstance(imgs, np.ndarray) or imgs.dtype != np.float32:
            raise ValueError('ClipRandomErasing needs one float32 array of '
                             'frames; put it after ClipRandomResizedCrop')
        frames, height, width, channels = imgs.shape
        # torchvision draws noise for the channels of an image: the frames go
        # in as further channels, so each pixel of each frame has a separate
        # draw.
        box = self._draw(frames * channels, height, width)
        if box is None:
            return results
        top, left, height, width, noise = box
        # (frames, channels, h, w), see _draw.
        noise = noise.view(frames, channels, height, width)
        imgs[:, top:top + height, left:left + width] = (
            noise.permute(0, 2, 3, 1).numpy() * self.std + self.mean)
        return results

    def draw(self, height: int,
             width: int) -> Optional[Tuple[int, int, int, int]]:
        """Draw a box, for noise drawn elsewhere.

        Args:
            height (int): Of the frames, in pixels.
            width (int): Of the frames, in pixels.

        Returns:
            tuple[int, int, int, int], optional: Top, left, height, width;
            None for no box.
        """
        # A single value is the least noise.
        box = self._draw(1, height, width)
        return None if box is None else box[:4]

    def _draw(self, values: int, height: int, width: int) -> Optional[Tuple]:
        """Draw a box, and as many values of noise for each pixel."""
        if torch.rand(1).item() >= self.erase_prob:
            return None
        box = RandomErasing.get_params(
            _without_data(values, height, width), list(self.area_range),
            list(self.aspect_ratio_range), None)
        return None if box[4].is_meta else box  # no box fitted

    def __repr__(self) -> str:
        return (f'{self.__class__.__name__}(erase_prob={self.erase_prob}, '
                f'area_range={self.area_range}, '
                f'aspect_ratio_range={self.aspect_ratio_range}, '
                f'mean={self.mean.tolist()}, std={self.std.tolist()})')
