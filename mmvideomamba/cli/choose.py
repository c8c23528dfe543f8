"""Arguments of ``mmvideomamba choose``."""
import argparse

from .ask import add_part, add_video

RUN = 'mmvideomamba.cli.run_choose'
HELP = 'the sentence that fits a video best'
DESCRIPTION = """\
Order sentences by how well each describes a video.

  mmvideomamba choose work_dirs/x clip.mp4 "a dog runs" "a cat plays"

The numbers are the scores of tools/test.py for multiple choice, from 0 to 1:
0.7 times the judge's probability that video and sentence belong together,
plus 0.3 times the share of the sentence by the two encoders. Retrieval models
choose as well."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments.

    Args:
        parser (argparse.ArgumentParser): Changed in place.
    """
    add_video(parser)
    parser.add_argument(
        'options', nargs='+', help='two sentences or more, in quotes')
    add_part(parser)
