"""Fonts of the system with the characters of a text.

The base is DejaVu Sans, part of matplotlib. matplotlib is loaded by the first
text drawn, not by the import of this module.
"""
import functools
import logging
import re
import unicodedata
from pathlib import Path
from typing import Any, FrozenSet, Iterator, List, Optional, Tuple, Union

from mmengine.logging import print_log
from PIL import ImageFont

Font = Union[ImageFont.FreeTypeFont, ImageFont.ImageFont]
Run = Tuple[str, str]  # a part of a text, and the file of the part's font

_SCALABLE = 1  # flag of FreeType: outlines, not bitmaps of a fixed size
_STYLED = re.compile('bold|italic|oblique|light|thin|black|mono|condensed',
                     re.IGNORECASE)
# Marks, format characters and spaces keep the font of the character before.
_FOLLOWING = ('Mn', 'Me', 'Mc', 'Cf', 'Zs')
_UNPRINTABLE = ('Cc', 'Cs', 'Zl', 'Zp')


def base_font() -> str:
    """Return the file of DejaVu Sans in matplotlib's package."""
    from matplotlib import get_data_path
    return str(Path(get_data_path(), 'fonts', 'ttf', 'DejaVuSans.ttf'))


@functools.lru_cache(maxsize=None)
def system_fonts() -> Tuple[str, ...]:
    """List the fonts of the system, plain ones of East Asian scripts first.

    Returns:
        tuple[str]: Files, without bold and slanted ones while others are
        left.
    """
    from matplotlib.font_manager import findSystemFonts

    def rank(path: str) -> Tuple[bool, bool, str]:
        name = Path(path).name
        return (bool(_STYLED.search(name)), 'cjk' not in name.lower(), name)

    return tuple(sorted(findSystemFonts(), key=rank))


@functools.lru_cache(maxsize=None)
def characters_of(path: str) -> FrozenSet[int]:
    """Return the code points of a font.

    Args:
        path (str): File of the font.

    Returns:
        frozenset[int]: The code points; empty for an unreadable file or a
        font of bitmaps only.
    """
    from matplotlib.ft2font import FT2Font
    try:
        font = FT2Font(path)
        # A number before matplotlib 3.10, a flag of the enum since.
        flags: Any = font.face_flags
        scalable = getattr(flags, 'value', flags) & _SCALABLE
        return frozenset(font.get_charmap() if scalable else ())
    except (OSError, RuntimeError, ValueError):
        return frozenset()


@functools.lru_cache(maxsize=None)
def font_with(character: str) -> Optional[str]:
    """Find a font with a character.

    Args:
        character (str): A single character.

    Returns:
        str, optional: File of the font; None if no font holds the character.
    """
    code = ord(character)
    for path in (base_font(), *system_fonts()):
        if code in characters_of(path):
            return path
    return None


@functools.lru_cache(maxsize=None)
def _tell_missing() -> None:
    """Warn once per process of characters drawn as code points."""
    print_log(
        'no font of this system holds some characters of the texts in '
        'pictures: these characters are drawn as code points, such as '
        r'\u4e2d. Install a font of the script, such as fonts-noto-cjk for '
        'Chinese, Japanese and Korean, and start again', 'current',
        logging.WARNING)


def escaped(character: str) -> str:
    r"""Write a character as a code point, as in Python's source.

    Args:
        character (str): A single character.

    Returns:
        str: For example ``\u4e2d``, ``\U0001f600`` or ``\x07``.
    """
    code = ord(character)
    if code < 0x100:
        return f'\\x{code:02x}'
    return f'\\u{code:04x}' if code < 0x10000 else f'\\U{code:08x}'


@functools.lru_cache(maxsize=4096)
def font_runs(text: str) -> Tuple[Run, ...]:
    """Cut a line into parts with a single font each.

    Args:
        text (str): The line. White space becomes a space, a character of no
            font, or without a picture, becomes the escaped code point.

    Returns:
        tuple[tuple[str, str]]: Parts, and the file of the font of each.
    """
    runs: List[Run] = []
    for piece, path in _pieces(text):
        if runs and runs[-1][1] == path:
            runs[-1] = (runs[-1][0] + piece, path)
        else:
            runs.append((piece, path))
    return tuple(runs)


def _pieces(text: str) -> Iterator[Run]:
    """Yield each character, or the escaped code point, with a font."""
    last = base_font()
    for character in text:
        character = ' ' if character.isspace() else character
        kind = unicodedata.category(character)
        path = None if kind in _UNPRINTABLE else font_with(character)
        if kind in _FOLLOWING and ord(character) in characters_of(last):
            path = last
        if path is None:
            if kind not in _UNPRINTABLE:
                _tell_missing()
            character, path = escaped(character), base_font()
        last = path
        yield character, path


def printable(text: str) -> str:
    """Return the drawn form of a line of text.

    Args:
        text (str): Any text.

    Returns:
        str: The text with the escaped code points of ``font_runs``.
    """
    return ''.join(part for part, _ in font_runs(text))


@functools.lru_cache(maxsize=64)
def open_font(path: str, size: int) -> Font:
    """Open a font.

    Args:
        path (str): File of the font.
        size (int): Height of the letters, in pixels.

    Returns:
        ImageFont.FreeTypeFont: The font.
    """
    return ImageFont.truetype(path, size)
