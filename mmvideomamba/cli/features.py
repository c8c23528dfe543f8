"""Arguments of ``mmvideomamba features``."""
import argparse

from .predict import add_batch_size, add_model

RUN = 'mmvideomamba.cli.run_features'
HELP = 'features of videos: of clips, windows or frames, with time stamps'
DESCRIPTION = """\
Write the features of the backbone.

  mmvideomamba features work_dirs/NAME videos/ --out features/ \\
      --level window --interval 1 --stride 4
  mmvideomamba features SAVED_FOLDER videos/ --out features.npz

A folder gets NAME.npy, (rows, channels), float32, as temporal detection reads
(ActionFormer, OpenTAD), and NAME.json with frame rate, stride and seconds. An
interrupted command goes on where it was. A video that cannot be read is
listed, all others are done, and the exit code is 65."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments.

    Args:
        parser (argparse.ArgumentParser): Changed in place.
    """
    add_model(parser)
    add_batch_size(parser)
    parser.add_argument(
        '--out',
        required=True,
        help='folder for a file each, or a table: .npz or .parquet')
    parser.add_argument(
        '--level',
        choices=('clip', 'window', 'frame'),
        default='clip',
        help='a row for each clip of the test (the default), for each window '
        'over the whole video, or for each frame that is looked at')
    parser.add_argument(
        '--interval',
        type=int,
        help='from a frame of a window to the next (default: that of the '
        'test pipeline, else 4)')
    parser.add_argument(
        '--stride',
        type=int,
        help='from a window to the next, in frames (default: a window)')
    parser.add_argument(
        '--views',
        default='all',
        metavar='all|one|N',
        help='clips of --level clip: those of the test (the default), a '
        'single one, or the middle of N')
