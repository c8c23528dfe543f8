"""Arguments of ``mmvideomamba ask``."""
import argparse

from .shared_options import add_config_and_device

RUN = 'mmvideomamba.cli.run_ask'
HELP = 'answers to questions about a video'
DESCRIPTION = """\
Answer questions about a video, from the list of answers of the model.

  mmvideomamba ask work_dirs/x clip.mp4 "what is the man doing"
  mmvideomamba ask SAVED_FOLDER film.mp4 "what colour is the car" \\
      "where is the car" --start 60 --end 75 --json answers.json

The best answer is that of tools/test.py. A number is the share of an answer
among all answers that the model has put in order."""


def add_video(parser: argparse.ArgumentParser) -> None:
    """Add model and video, common to the verbs about one video.

    Args:
        parser (argparse.ArgumentParser): Changed in place.
    """
    parser.add_argument(
        'model',
        help='checkpoint (.pth) with its config, saved folder, or id of the '
        'Hub')
    parser.add_argument('video', help='file, or folder of frames')


def add_part(parser: argparse.ArgumentParser) -> None:
    """Add the part of the video, the file and the device.

    Args:
        parser (argparse.ArgumentParser): Changed in place.
    """
    parser.add_argument(
        '--start',
        type=float,
        metavar='SECONDS',
        help='begin of the part to look at (default: of the video)')
    parser.add_argument(
        '--end',
        type=float,
        metavar='SECONDS',
        help='end of the part (default: of the video)')
    parser.add_argument(
        '--json', metavar='FILE', help='file to write (default: print)')
    add_config_and_device(parser)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments.

    Args:
        parser (argparse.ArgumentParser): Changed in place.
    """
    add_video(parser)
    parser.add_argument('questions', nargs='+', help='questions, in quotes')
    parser.add_argument(
        '--topk',
        type=int,
        default=5,
        help='answers to each question (default: 5)')
    add_part(parser)
