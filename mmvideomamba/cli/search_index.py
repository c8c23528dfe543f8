"""Arguments of ``mmvideomamba search index``."""
import argparse

from .shared_options import add_config_and_device, add_inputs

RUN = 'mmvideomamba.cli.run_search_index'
HELP = 'bring an index up to date with videos'
DESCRIPTION = """\
Index videos for a search by words.

  mmvideomamba search index videos/ --model work_dirs/x --out INDEX
  mmvideomamba search index videos/ --model MODEL --out INDEX --window 4 \\
      --stride 2 --tokens
  mmvideomamba search index videos/ --out INDEX

A later call reads new and changed videos alone, follows moved ones and drops
those that are gone from the folders. The command goes on where it was, also
after kill -9. A video that cannot be read is listed, all others are done, and
the exit code is 65."""


def add_model(parser: argparse.ArgumentParser) -> None:
    """Add the arguments for the model, common to the verbs of the search.

    Args:
        parser (argparse.ArgumentParser): Changed in place.
    """
    parser.add_argument(
        '--model',
        help='checkpoint (.pth) with its config, saved folder, name, or id '
        'of the Hub (default: the model that the index was made by)')
    add_config_and_device(parser)
    parser.add_argument(
        '--workers',
        type=int,
        default=2,
        help='videos read side by side (default: 2)')
    parser.add_argument(
        '--batch-size',
        type=int,
        default=8,
        help='windows at a time (default: 8)')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments.

    Args:
        parser (argparse.ArgumentParser): Changed in place.
    """
    add_inputs(parser)
    add_model(parser)
    parser.add_argument(
        '--out',
        metavar='INDEX',
        required=True,
        help='folder of the index, there already or new')
    parser.add_argument(
        '--window',
        type=float,
        help='seconds of a window (default: a single one, the whole video)')
    parser.add_argument(
        '--stride',
        type=float,
        help='seconds from the start of a window to the next (default: those '
        'of a window)')
    parser.add_argument(
        '--tokens',
        action='store_true',
        help='keep visual tokens in half precision, so that query --rerank '
        'needs no video; the size is stated first')
    parser.add_argument(
        '--precision',
        choices=('float32', 'float16'),
        help='of the vectors on the disk (default: float32)')
    parser.add_argument(
        '--retry',
        action='store_true',
        help='read unreadable videos again, though unchanged')
