"""Arguments of ``mmvideomamba predict``."""
import argparse

from .shared_options import add_config_and_device, add_inputs

RUN = 'mmvideomamba.cli.run_predict'
HELP = 'classes of videos or images, as a table'
DESCRIPTION = """\
Predict the classes of videos or images.

  mmvideomamba predict work_dirs/NAME videos/ --out predictions.csv
  mmvideomamba predict model.onnx a.mp4 b.mp4
  find . -name '*.mp4' | mmvideomamba predict SAVED_FOLDER - --out x.json

The numbers are those of tools/test.py: all clips and crops of the test.
A video that cannot be read is listed with its error, all others are scored,
and the exit code is 65."""


def add_model(parser: argparse.ArgumentParser) -> None:
    """Add the arguments for model and inputs, common to the verbs.

    Args:
        parser (argparse.ArgumentParser): Changed in place.
    """
    parser.add_argument(
        'model',
        help='working folder of a training (its best checkpoint), '
        'checkpoint (.pth) with its config, saved folder, name of a published '
        'file, id of the Hub, or exported .pt2 or .onnx file')
    add_inputs(parser)
    add_config_and_device(parser)
    parser.add_argument(
        '--workers',
        type=int,
        help='threads that read files (default: one for each core, at most '
        '8)')


def add_batch_size(parser: argparse.ArgumentParser) -> None:
    """Add the number of inputs at a time, for verbs that score in batches.

    Args:
        parser (argparse.ArgumentParser): Changed in place.
    """
    parser.add_argument(
        '--batch-size',
        type=int,
        default=4,
        help='inputs at a time (default: 4)')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments.

    Args:
        parser (argparse.ArgumentParser): Changed in place.
    """
    add_model(parser)
    add_batch_size(parser)
    parser.add_argument(
        '--out',
        metavar='FILE',
        help='table to write: .json, .csv or .parquet (default: print)')
    parser.add_argument(
        '--topk',
        type=int,
        default=5,
        help='classes of each input (default: 5)')
    parser.add_argument(
        '--views',
        default='all',
        metavar='all|one|N',
        help='views of a video: those of the test (the default), a single '
        'one, or the middle of N clips')
    parser.add_argument(
        '--classes',
        metavar='FILE',
        help='names of the classes, one a line (default: those in the model)')
    parser.add_argument(
        '--labels',
        metavar='FILE',
        help='true labels, a line "NAME LABEL" for each input: accuracy, '
        'confusions and worst mistakes are printed, and written next to the '
        'table as OUT.evaluation.json')
