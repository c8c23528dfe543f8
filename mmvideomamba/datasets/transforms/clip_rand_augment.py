"""RandAugment whose draws are shared by the frames of a clip."""
from typing import Any, Callable, Dict, List, Sequence, Tuple

import numpy as np
from mmcv.transforms import BaseTransform
from PIL import Image, ImageEnhance, ImageOps

from mmvideomamba.registry import TRANSFORMS

MAX_LEVEL = 10.
# The default fill of timm.
GREY = (128, 128, 128)
Frames = List[Image.Image]
Operation = Callable[[Image.Image, Any, Tuple[int, ...]], Image.Image]


def _signed(value: float) -> float:
    """Give a strength either sign with equal probability."""
    return value if np.random.rand() < 0.5 else -value


def _affine(image: Image.Image, fill: Tuple[int, ...],
            matrix: Tuple[float, ...]) -> Image.Image:
    """Warp an image; ``matrix`` maps places of the result to the source."""
    return image.transform(
        image.size,
        Image.Transform.AFFINE,
        matrix,
        resample=Image.Resampling.BICUBIC,
        fillcolor=fill)


def _rotate(image: Image.Image, degrees: float,
            fill: Tuple[int, ...]) -> Image.Image:
    return image.rotate(
        degrees, resample=Image.Resampling.BICUBIC, fillcolor=fill)


def _shear_x(image: Image.Image, factor: float,
             fill: Tuple[int, ...]) -> Image.Image:
    return _affine(image, fill, (1, factor, 0, 0, 1, 0))


def _shear_y(image: Image.Image, factor: float,
             fill: Tuple[int, ...]) -> Image.Image:
    return _affine(image, fill, (1, 0, 0, factor, 1, 0))


def _translate_x(image: Image.Image, share: float,
                 fill: Tuple[int, ...]) -> Image.Image:
    return _affine(image, fill, (1, 0, share * image.width, 0, 1, 0))


def _translate_y(image: Image.Image, share: float,
                 fill: Tuple[int, ...]) -> Image.Image:
    return _affine(image, fill, (1, 0, 0, 0, 1, share * image.height))


def _map_values(image: Image.Image, values: Sequence[int]) -> Image.Image:
    """Replace each of the 256 values of a channel, in all channels."""
    return image.point(list(values) * len(image.getbands()))


def _posterize(image: Image.Image, bits: int, fill: Tuple[int,
                                                          ...]) -> Image.Image:
    # Level 10 keeps 0 bits, but PIL's posterize refuses 0 bits.
    step = 2**(8 - bits)
    return _map_values(image, [i // step * step for i in range(256)])


def _solarize_add(image: Image.Image, added: int,
                  fill: Tuple[int, ...]) -> Image.Image:
    return _map_values(
        image, [min(255, i + added) if i < 128 else i for i in range(256)])


def _enhance(kind: type) -> Operation:
    """Return the operation of a PIL enhancer."""
    return lambda image, factor, fill: kind(image).enhance(factor)


# Name: the strength at a level from 0 to 10, and the change of an image.
# In the order of timm, as a draw is an index; with timm's inc1 each strength
# grows with the level, so Posterize and Solarize count down.
OPERATIONS: Dict[str, Tuple[Callable[[float], float], Operation]] = {
    'AutoContrast':
    (lambda level: 0, lambda image, _, fill: ImageOps.autocontrast(image)),
    'Equalize':
    (lambda level: 0, lambda image, _, fill: ImageOps.equalize(image)),
    'Invert': (lambda level: 0, lambda image, _, fill: ImageOps.invert(image)),
    'Rotate': (lambda level: _signed(3 * level), _rotate),
    'Posterize': (lambda level: 4 - int(0.4 * level), _posterize),
    'Solarize': (lambda level: 256 - int(25.6 * level),
                 lambda image, bound, fill: ImageOps.solarize(image, bound)),
    'SolarizeAdd': (lambda level: int(11 * level), _solarize_add),
    'Color': (lambda level: 1 + _signed(0.09 * level),
              _enhance(ImageEnhance.Color)),
    'Contrast': (lambda level: 1 + _signed(0.09 * level),
                 _enhance(ImageEnhance.Contrast)),
    'Brightness': (lambda level: 1 + _signed(0.09 * level),
                   _enhance(ImageEnhance.Brightness)),
    'Sharpness': (lambda level: 1 + _signed(0.09 * level),
                  _enhance(ImageEnhance.Sharpness)),
    'ShearX': (lambda level: _signed(0.03 * level), _shear_x),
    'ShearY': (lambda level: _signed(0.03 * level), _shear_y),
    'TranslateX': (lambda level: _signed(0.045 * level), _translate_x),
    'TranslateY': (lambda level: _signed(0.045 * level), _translate_y),
}
NAMES = tuple(OPERATIONS)


@TRANSFORMS.register_module()
class ClipRandAugment(BaseTransform):
    """Change all frames of a clip by the same few random operations.

    The RandAugment of the published video runs, in timm's words
    ``rand-m{magnitude}-n{num_layers}-mstd{magnitude_std}-inc1``:
    ``num_layers`` of 15 operations are drawn with replacement; each is
    applied with probability ``prob`` at a level drawn from
    ``Normal(magnitude, magnitude_std)`` and clipped to 0..10. Draws use
    numpy's global generator. PIL computes the pixels, geometric operations
    with bicubic interpolation.

    ``PytorchVideoWrapper(op='RandAugment')`` of the host differs: the host
    draws without replacement from 14 operations, warps bilinearly and fills
    with black.

    Required Keys:

    - imgs (list[np.ndarray]): Frames, RGB, each (h, w, 3), uint8

    Modified Keys:

    - imgs: New arrays, also where no operation was applied

    Args:
        magnitude (float): Mean level, 0 to 10. Defaults to 7.
        num_layers (int): Operations per clip. Defaults to 4.
        magnitude_std (float): Standard deviation of the level. Defaults to
            0.5.
        prob (float): Probability of each operation. Defaults to 0.5.
        fill (Sequence[int]): Colour, RGB, of places without a source.
            Defaults to (128, 128, 128).

    Raises:
        ValueError: If an argument is out of range.

    Source: RandAugment, arXiv:1909.13719.
    """

    def __init__(self,
                 magnitude: float = 7,
                 num_layers: int = 4,
                 magnitude_std: float = 0.5,
                 prob: float = 0.5,
                 fill: Sequence[int] = GREY) -> None:
        if not 0 <= magnitude <= MAX_LEVEL:
            raise ValueError('magnitude must lie between 0 and 10, but is '
                             f'{magnitude}')
        if num_layers < 0 or magnitude_std < 0:
            raise ValueError('num_layers and magnitude_std must not be '
                             f'negative, but are {num_layers} and '
                             f'{magnitude_std}')
        if not 0 <= prob <= 1:
            raise ValueError(f'prob must lie between 0 and 1, but is {prob}')
        self.magnitude = magnitude
        self.num_layers = num_layers
        self.magnitude_std = magnitude_std
        self.prob = prob
        self.fill = tuple(fill)

    def draw(self) -> List[Tuple[str, float]]:
        """Draw the operations for a clip.

        Returns:
            list[tuple[str, float]]: Name and strength of each operation, in
            the order of application.
        """
        chosen = []
        for index in np.random.randint(len(NAMES), size=self.num_layers):
            if np.random.rand() >= self.prob:
                continue
            level = np.random.normal(self.magnitude, self.magnitude_std)
            strength, _ = OPERATIONS[NAMES[index]]
            chosen.append(
                (NAMES[index], strength(float(np.clip(level, 0, MAX_LEVEL)))))
        return chosen

    def transform(self, results: Dict[str, Any]) -> Dict[str, Any]:
        """Change the frames of a sample.

        Args:
            results (dict): The sample, with the required keys.

        Returns:
            dict: The sample, with ``imgs`` changed.
        """
        frames = results['imgs']
        chosen = self.draw()
        images: Frames = [Image.fromarray(frame) for frame in frames]
        for name, strength in chosen:
            _, operation = OPERATIONS[name]
            images = [
                operation(image, strength, self.fill) for image in images
            ]
        results['imgs'] = [np.array(image) for image in images]
        return results

    def __repr__(self) -> str:
        return (f'{self.__class__.__name__}(magnitude={self.magnitude}, '
                f'num_layers={self.num_layers}, '
                f'magnitude_std={self.magnitude_std}, prob={self.prob}, '
                f'fill={self.fill})')
