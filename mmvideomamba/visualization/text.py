"""Lines of text inside a picture, in any script with a font."""
import functools
import unicodedata
from typing import List, Sequence, Tuple

import numpy as np
from PIL import Image, ImageDraw

from .fonts import font_runs, open_font, printable

Colour = Tuple[int, int, int]

SMALLEST = 12  # height of text, in pixels
SHARE = 1 / 24  # height of text, of the short side of a frame
LEADING = 1.35  # distance of two lines, in heights of text
WHITE: Colour = (255, 255, 255)
# East Asian scripts have no spaces, and a line may end after any character.
_WIDE = ('W', 'F')


def text_size(height: int, width: int) -> int:
    """Return a height of text to fit a frame.

    Args:
        height (int): Of the frame, in pixels.
        width (int): Of the frame, in pixels.

    Returns:
        int: A 24th of the short side, at least 12, in pixels.
    """
    return max(SMALLEST, round(SHARE * min(height, width)))


def line_height(size: int) -> int:
    """Return the distance of two baselines.

    Args:
        size (int): Height of text, in pixels.

    Returns:
        int: Pixels.
    """
    return round(LEADING * size)


def text_width(text: str, size: int) -> int:
    """Measure a line.

    Args:
        text (str): The line.
        size (int): Height of text, in pixels.

    Returns:
        int: Pixels, rounded up.
    """
    runs = font_runs(text)
    return int(sum(open_font(f, size).getlength(t) for t, f in runs) + 0.999)


def write_line(picture: np.ndarray,
               text: str,
               position: Tuple[int, int],
               colour: Colour = WHITE,
               size: int = SMALLEST) -> None:
    """Write a line of text into a picture, in place.

    Args:
        picture (np.ndarray): Shape (h, w, 3), uint8.
        text (str): The line. Signs of formulas have no meaning; a character
            of no font is written as the code point.
        position (tuple[int, int]): Pixels from the left and from the top to
            the start of the baseline.
        colour (tuple[int, int, int]): In the channel order of ``picture``.
            Defaults to (255, 255, 255), white.
        size (int): Height of text, in pixels. Defaults to 12.
    """
    # Only the rows of the line go through Pillow: frames are large.
    top = max(0, position[1] - 2 * size)
    rows = picture[top:position[1] + size]
    if not rows.size:
        return
    image = Image.fromarray(np.ascontiguousarray(rows))
    draw = ImageDraw.Draw(image)
    x = float(position[0])
    for part, path in font_runs(text):
        font = open_font(path, size)
        draw.text((x, position[1] - top), part, colour, font, anchor='ls')
        x += font.getlength(part)
    rows[:] = np.asarray(image)


def _is_wide(character: str) -> bool:
    return unicodedata.east_asian_width(character) in _WIDE


def _words(text: str) -> List[str]:
    """Cut a line at possible line ends; a space stays with the word before."""
    words: List[str] = []
    before = ''
    for character in text:
        if not before or _is_wide(before) or _is_wide(character) or (
                before == ' ' != character):
            words.append('')
        words[-1] += character
        before = character
    return words


@functools.lru_cache(maxsize=1024)  # a video has the same texts in each frame
def wrap(text: str, width: int, size: int) -> Tuple[str, ...]:
    """Break a text into lines of a width at most.

    Args:
        text (str): The text.
        width (int): Of the lines, in pixels.
        size (int): Height of text, in pixels.

    Returns:
        tuple[str]: At least a single line. Lines end at spaces or between East
        Asian characters, else anywhere in a word too long for a line.
    """
    lines = ['']
    for word in _words(printable(text)):
        if text_width((lines[-1] + word).rstrip(), size) <= width:
            lines[-1] += word
            continue
        if lines[-1]:
            lines.append('')
        for character in word:
            longer = (lines[-1] + character).rstrip()
            if lines[-1] and text_width(longer, size) > width:
                lines.append('')
            lines[-1] += character
    return tuple(line.rstrip() for line in lines)


def text_panel(texts: Sequence[Tuple[str, Colour]],
               width: int,
               size: int,
               ground: Colour = (0, 0, 0)) -> np.ndarray:
    """Write texts below each other, each broken into lines.

    Args:
        texts (Sequence[tuple[str, tuple]]): Texts with colours, RGB.
        width (int): Of the panel, in pixels.
        size (int): Height of text, in pixels.
        ground (tuple[int, int, int]): Colour behind the text. Defaults to
            (0, 0, 0), black.

    Returns:
        np.ndarray: RGB, shape (h, width, 3), uint8; the height follows the
        number of lines.
    """
    edge, step = size // 3, line_height(size)
    lines = [(line, colour) for text, colour in texts
             for line in wrap(text, width - 2 * edge, size)]
    height = step * len(lines) + 2 * edge
    panel = np.full((height, width, 3), ground, np.uint8)
    for row, (line, colour) in enumerate(lines):
        y = edge + step * row + size
        write_line(panel, line, (edge, y), colour, size)
    return panel
