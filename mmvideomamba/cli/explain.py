"""Arguments of ``mmvideomamba explain``."""
import argparse

from .predict import add_model

RUN = 'mmvideomamba.cli.run_explain'
HELP = 'pictures of the frames and places that count for a class'
DESCRIPTION = """\
Draw which frames and places count for a class.

  mmvideomamba explain work_dirs/NAME clip.mp4 --out explained/
  mmvideomamba explain SAVED_FOLDER videos/ --out explained/ --label cooking

Each input gets NAME.png, the frames that the model saw above their relevance,
NAME.mp4, the same frame by frame (videos alone), and NAME.npz with the
relevance of each token, (views, t, h, w). An input that cannot be read is
listed, all others are done, and the exit code is 65."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments.

    Args:
        parser (argparse.ArgumentParser): Changed in place.
    """
    add_model(parser)
    parser.add_argument('--out', required=True, help='folder for the files')
    parser.add_argument(
        '--label',
        metavar='NAME|NUMBER',
        help='class to explain (default: the best of each input)')
    parser.add_argument(
        '--method',
        choices=('gradient', 'attention', 'attribution'),
        default='gradient',
        help="'gradient' (the default) and 'attribution' belong to a class, "
        "'attention' to none: docs/relevance.md")
    parser.add_argument(
        '--classes',
        metavar='FILE',
        help='names of the classes, one a line (default: those that the '
        'model knows)')
    parser.add_argument(
        '--views',
        metavar='all|one|N',
        help='clips to explain: a single one (the default), those of the '
        'test, or the middle of N; pictures show '
        'the one with the largest relevance')
