"""Lines of small text inside a picture."""
from typing import Tuple

import cv2
import numpy as np


def write_line(
    picture: np.ndarray,
    text: str,
    position: Tuple[int, int],
    colour: Tuple[int, int, int] = (255, 255, 255)
) -> None:
    """Write a line of text into a picture, in place.

    Args:
        picture (np.ndarray): Shape (h, w, 3), uint8.
        text (str): The line. The font has ASCII characters only.
        position (tuple[int, int]): Pixels from the left and from the top to
            the start of the baseline.
        colour (tuple[int, int, int]): In the channel order of ``picture``.
            Defaults to (255, 255, 255), white.
    """
    cv2.putText(picture, text, position, cv2.FONT_HERSHEY_SIMPLEX, 0.42,
                colour, 1, cv2.LINE_AA)
