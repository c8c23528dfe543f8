"""Arguments of ``mmvideomamba export``."""
import argparse
from pathlib import Path
from typing import Union

RUN = 'mmvideomamba.cli.run_export'
HELP = 'files that run without mmvideomamba: .pt2, ONNX, ExecuTorch'
DESCRIPTION = """\
Export a model into files that run without mmvideomamba.

The model is a saved folder, the working folder of a training (its best
checkpoint), a checkpoint, the name of a published file, an id of the Hub, or
a config with a checkpoint:

    mmvideomamba export FOLDER --out exported
    mmvideomamba export work_dirs/NAME --out exported
    mmvideomamba export CONFIG CHECKPOINT --out exported

A recognizer takes views of videos as uint8 RGB frames of the size of the
model, (batch, views, frames, height, width, 3), and gives class
probabilities; an image classifier takes (batch, height, width, 3). Class
names, sampling rule and licence are in the metadata of each file.

A backbone alone takes normalised clips, (batch, 3, frames, height, width),
and gives features:

    mmvideomamba export FOLDER --backbone-only --out exported
    mmvideomamba export --backbone tiny --frames 16 --out OUT

Each file is run by its runtime and compared with the model, and timed next to
it; report.md tells. A file that departs is kept as model.failed.*."""
# Repeated from deployment.interface: the modules of arguments import the
# standard library alone.
DYNAMIC = 'dynamic'


def length(text: str) -> Union[int, str]:
    """Read the length of an axis.

    Args:
        text (str): Of the command line.

    Returns:
        int | str: A number, or 'dynamic'.

    Raises:
        ValueError: If the text is neither.
    """
    return text if text == DYNAMIC else int(text)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments.

    Args:
        parser (argparse.ArgumentParser): Changed in place.
    """
    parser.add_argument(
        'model', nargs='?', help='folder, checkpoint, name, id, or config')
    parser.add_argument(
        'checkpoint', nargs='?', help='checkpoint, after a config')
    parser.add_argument(
        '--out', type=Path, required=True, help='folder for the files')
    parser.add_argument(
        '--formats',
        nargs='+',
        default=['pt2', 'onnx'],
        help='of pt2, onnx, pte (default: pt2 onnx)')
    parser.add_argument(
        '--batch',
        type=length,
        default=DYNAMIC,
        help="'dynamic' or the only batch (default: dynamic)")
    parser.add_argument(
        '--views',
        type=length,
        help="of a video: 'dynamic' or the only number (default: dynamic with "
        'a dynamic batch, else 1)')
    parser.add_argument(
        '--frames',
        type=int,
        help='of a clip: what a backbone is built for; a whole model must '
        'have as many')
    parser.add_argument(
        '--backbone-only', action='store_true', help='without the head')
    parser.add_argument(
        '--backbone',
        metavar='ARCH',
        help='instead of a model: a backbone of random weights, to learn '
        'times and sizes')
    parser.add_argument(
        '--img-size',
        type=int,
        default=224,
        help='of --backbone, in pixels (default: 224)')
    parser.add_argument('--opset', type=int, help='of ONNX (default: 23)')
    parser.add_argument(
        '--rounds',
        type=int,
        default=5,
        help='timed runs of each file, 0 for none (default: 5)')
    parser.add_argument(
        '--threads', type=int, help='of the processor (default: of torch)')
