"""Arguments of ``mmvideomamba search serve``."""
import argparse

from .search_index import add_model

RUN = 'mmvideomamba.cli.run_search_serve'
HELP = 'search in a browser: type a sentence, see the videos play'
DESCRIPTION = """\
Serve a page to search an index, on this machine alone.

  mmvideomamba search serve INDEX
  mmvideomamba search serve INDEX --classifier work_dirs/x
  mmvideomamba search serve INDEX --qa work_dirs/y/best.pth --port 0

The page plays the videos from the right second, labels a dropped video and
shows its neighbours in the index, and answers questions about a part of a
video. Ctrl-C ends the command."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments.

    Args:
        parser (argparse.ArgumentParser): Changed in place.
    """
    parser.add_argument('index', help='folder of the index')
    add_model(parser)
    parser.add_argument(
        '--classifier',
        metavar='MODEL',
        help='model that labels a dropped video (default: none)')
    parser.add_argument(
        '--qa',
        metavar='MODEL',
        help='model that answers questions (default: none)')
    parser.add_argument(
        '--host',
        default='127.0.0.1',
        help='address to serve at (default: 127.0.0.1, for this machine '
        'alone); at another one, all who reach the port see the videos')
    parser.add_argument(
        '--port',
        type=int,
        default=8000,
        help='port (default: 8000); 0 for any free one')
    parser.add_argument(
        '--upload-mb',
        type=int,
        default=512,
        metavar='N',
        help='largest dropped video, in megabytes (default: 512)')
    parser.add_argument(
        '--searcher',
        default='exact',
        metavar='MODULE:CLASS',
        help='class of a vector library, see docs/search.md (default: exact '
        'search)')
