"""Pictures of a video made smaller and upright, without a way over RGB."""
from typing import Any, List, Optional, Tuple

import av
import numpy as np
from av.video.reformatter import (ColorRange, Colorspace, Interpolation,
                                  VideoReformatter)

from mmvideomamba.datasets.video import MediaError
from mmvideomamba.datasets.video.pyav_stream import rotate

LEAST_SIDE = 2  # pixels: 4:2:0 needs even sides


def copy_size(width: int, height: int, short_side: int) -> Tuple[int, int]:
    """Find the size of a copy.

    Args:
        width (int): Of the original, in pixels.
        height (int): Of the original, in pixels.
        short_side (int): As in ``CopySettings``.

    Returns:
        tuple[int, int]: Width and height, even, neither above the original's.
    """
    scale = min(1., short_side / min(width, height)) if short_side else 1.
    # Rounded to the nearest even number, or down where nothing is scaled.
    sides = [(int(side * scale / 2 + .5) if scale < 1 else side // 2) * 2
             for side in (width, height)]  # yapf: disable
    return max(sides[0], LEAST_SIDE), max(sides[1], LEAST_SIDE)


class PictureMaker:
    """Make the pictures of a copy.

    Args:
        path (str): The original, for errors.
        short_side (int): As in ``copy_size``.

    Attributes:
        size (tuple[int, int]): Width and height of a picture, in pixels.
        turned (bool): Whether pictures lie on the side in the original.
    """

    def __init__(self, path: str, short_side: int) -> None:
        self.size, self.turned = (0, 0), False
        self._path, self._short_side = path, short_side
        self._stored = (0, 0)  # width and height in the original
        self._converter = VideoReformatter()

    def make(self, frame: Any, number: int) -> Any:
        """Scale a picture, and turn it the right way up.

        Args:
            frame (av.VideoFrame): Of the original.
            number (int): Of the frame, for an error.

        Returns:
            av.VideoFrame: In yuv420p, perhaps ``frame`` itself.

        Raises:
            MediaError: If the picture has another size than those before.
        """
        stored = frame.width, frame.height
        if self._stored not in ((0, 0), stored):
            raise MediaError(
                self._path, f'changes the size of the picture at frame '
                f'{number}, from {self._stored} to {stored} (w, h)')
        self._stored = stored
        width, height = copy_size(*stored, self._short_side)
        # Threads of the converter would hang in a forked process.
        made = self._converter.reformat(
            frame,
            width,
            height,
            'yuv420p',
            interpolation=Interpolation.BICUBIC,
            dst_colorspace=_matrix(frame),
            dst_color_range=ColorRange.MPEG,
            threads=1)
        matrix = frame.side_data.get('DISPLAYMATRIX')
        if matrix is not None:
            numbers = np.frombuffer(matrix, np.int32)
            made = _turn(made, numbers, self._path)
            # By the matrix, not by the size: a square picture keeps the size
            # in a quarter turn, but not the aspect of the pixels.
            self.turned = abs(int(numbers[0])) < abs(int(numbers[1]))
        self.size = made.width, made.height
        return made


def _matrix(frame: Any) -> Optional[Colorspace]:
    """Return how a copy derives grey and colours from red, green and blue."""
    try:
        return Colorspace(frame.colorspace)
    except ValueError:  # not told, or red, green and blue themselves
        return None


def _turn(frame: Any, matrix: np.ndarray, path: str) -> Any:
    """Turn a picture plane by plane, without a loss."""
    width, height = frame.width, frame.height
    flat = frame.to_ndarray().reshape(-1)
    planes: List[np.ndarray] = []
    for shape in ((height, width), *[(height // 2, width // 2)] * 2):
        plane, flat = np.split(flat, [shape[0] * shape[1]])
        planes.append(rotate(plane.reshape(shape), matrix, path))
    height, width = planes[0].shape
    packed = np.concatenate([plane.reshape(-1) for plane in planes])
    made = av.VideoFrame.from_ndarray(
        packed.reshape(height * 3 // 2, width), 'yuv420p')
    # A frame from an array knows nothing about colours.
    for name in ('colorspace', 'color_range', 'color_primaries', 'color_trc'):
        setattr(made, name, getattr(frame, name))
    return made
