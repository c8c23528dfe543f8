"""Command line options of the tools for lists of videos."""
import argparse
import sys
from pathlib import Path

from .list_lines import FORMS

# Folders of build_annotations.py.
LAYOUTS = ('auto', 'classes', 'splits')


def positive(text: str) -> int:
    """Read a number above 0 from the command line.

    Args:
        text (str): The argument.

    Returns:
        int: The number.

    Raises:
        argparse.ArgumentTypeError: If the number is 0 or below.
        ValueError: If the text is not a number.
    """
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f'{text} is not above 0')
    return number


def delimiter_option(text: str) -> str:
    r"""Read a delimiter from the command line.

    Args:
        text (str): A character, or 'tab', '\t', 'space', 'comma'.

    Returns:
        str: The character.

    Raises:
        argparse.ArgumentTypeError: If the text is not a character.
    """
    names = {'\\t': '\t', 'tab': '\t', 'space': ' ', 'comma': ','}
    text = names.get(text, text)
    if len(text) != 1 or text in '\r\n/.' or text.isalnum():
        raise argparse.ArgumentTypeError(
            f'{text!r} does not separate columns; use "," or tab')
    return text


def add_check_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of a check of files, in place.

    Args:
        parser (argparse.ArgumentParser): Of a tool.
    """
    add = parser.add_argument
    add('--whole',
        action='store_true',
        help='decode every frame, which finds damage in the middle of a file')
    add('--workers', type=positive, default=1, help='processes (1)')
    add('--reader', default='auto', help='video reader (auto)')
    add('--time-limit',
        type=positive,
        default=300,
        metavar='SECONDS',
        help='for the opening of a file or a block of frames; then the '
        'decoder counts as hung (300)')
    add('--min-frames',
        type=positive,
        default=2,
        help='fewest frames of a video; 1 allows single frames (2)')


def add_list_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the reading of lists, in place.

    Args:
        parser (argparse.ArgumentParser): Of a tool.
    """
    add = parser.add_argument
    add('--root', type=Path, help='folder that paths begin at (data_prefix)')
    add('--delimiter',
        type=delimiter_option,
        help='between columns: " ", "," or tab (default: told by the lines)')
    add('--form',
        choices=['auto', *FORMS],
        default='auto',
        help='columns after the path (default: told by the lines)')


def print_any_names() -> None:
    """Let names of files be printed that hold bytes of no text."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, 'reconfigure'):
            stream.reconfigure(errors='backslashreplace')
