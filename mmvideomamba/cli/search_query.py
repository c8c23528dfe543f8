"""Arguments of ``mmvideomamba search query``."""
import argparse

from .search_index import add_model

RUN = 'mmvideomamba.cli.run_search_query'
HELP = 'find the windows that fit a sentence, a class or a video'
DESCRIPTION = """\
Search an index.

  mmvideomamba search query INDEX "a red square moves left" --rerank 50
  mmvideomamba search query INDEX --class juggling --per-video 1
  mmvideomamba search query INDEX --video clip.mp4 --out hits.csv

The model is the one of the index; --model names it where it has moved."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments.

    Args:
        parser (argparse.ArgumentParser): Changed in place.
    """
    parser.add_argument('index', help='folder of the index')
    parser.add_argument('sentence', nargs='?', help='what to look for')
    parser.add_argument(
        '--class',
        dest='class_name',
        metavar='NAME',
        help='a class in place of a sentence: the mean of its prompts')
    parser.add_argument(
        '--templates',
        metavar='FILE',
        help='prompts of --class (default: those of the model)')
    parser.add_argument(
        '--video',
        metavar='FILE',
        help='a video in place of a sentence: its neighbours')
    add_model(parser)
    parser.add_argument(
        '--topk', type=int, default=10, help='hits (default: 10)')
    parser.add_argument(
        '--rerank',
        type=int,
        default=0,
        metavar='N',
        help='let the judge order the N best windows (default: 0, none)')
    parser.add_argument(
        '--per-video',
        type=int,
        metavar='N',
        help='hits of a video at most (default: no limit)')
    parser.add_argument(
        '--out',
        metavar='FILE',
        help='table to write: .json or .csv (default: print)')
    form = parser.add_mutually_exclusive_group()
    for name in ('json', 'csv'):
        form.add_argument(
            f'--{name}',
            action='store_true',
            help=f'print {name.upper()} in place of a table for people')
    parser.add_argument(
        '--searcher',
        default='exact',
        metavar='MODULE:CLASS',
        help='class of a vector library, see docs/search.md (default: exact '
        'search)')
