#!/usr/bin/env python
"""Export a model into files that run without mmvideomamba.

The model is a saved folder, a checkpoint of a training, the name of a
published file, an id of the Hub, or a config with a checkpoint::

    python tools/deployment/export.py FOLDER --out exported
    python tools/deployment/export.py work_dirs/x/best.pth --out exported
    python tools/deployment/export.py CONFIG CHECKPOINT --out exported

A recognizer takes views of videos as uint8 RGB frames of the size of the
model, (batch, views, frames, height, width, 3), and gives class
probabilities; an image classifier takes (batch, height, width, 3). Class
names, sampling rule and licence are in the metadata of each file.

A backbone alone takes normalised clips, (batch, 3, frames, height, width),
and gives features::

    python tools/deployment/export.py FOLDER --backbone-only --out exported
    python tools/deployment/export.py --backbone tiny --frames 16 --out OUT

Each file is run by its runtime and compared with the model, and timed beside
it; report.md tells. A file that departs is kept as model.failed.*.
"""
import argparse
from pathlib import Path
from typing import Any, Tuple, Union

import torch

import mmvideomamba  # noqa: F401, heals the hosts before they are imported
from mmvideomamba.command_line import user_errors
from mmvideomamba.deployment import FORMATS, check_formats, export_model
from mmvideomamba.deployment.interface import DYNAMIC
from mmvideomamba.deployment.onnx_file import OPSET
from mmvideomamba.deployment.source import (load_backbone, load_model,
                                            random_backbone)


def length(text: str) -> Union[int, str]:
    """Read the length of an axis: a number, or 'dynamic'."""
    return text if text == DYNAMIC else int(text)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
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
        help=f'of {", ".join(FORMATS)} (default: pt2 onnx)')
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
    parser.add_argument(
        '--opset', type=int, help=f'of ONNX (default: {OPSET})')
    parser.add_argument(
        '--rounds',
        type=int,
        default=5,
        help='timed runs of each file, 0 for none (default: 5)')
    parser.add_argument(
        '--threads', type=int, help='of the processor (default: of torch)')
    return parser


def read_model(args: argparse.Namespace) -> Tuple[Any, dict]:
    """Load the model of a command line.

    Args:
        args (argparse.Namespace): See ``build_parser``.

    Returns:
        tuple[nn.Module, dict]: The model, and the description.

    Raises:
        ValueError: If the arguments contradict each other, or the model
            cannot be loaded.
    """
    if (args.model is None) == (args.backbone is None):
        raise ValueError('give a model, or --backbone ARCH, and not both')
    if args.backbone is not None:
        return random_backbone(args.backbone, args.frames, args.img_size)
    if args.backbone_only:
        if args.checkpoint is not None:
            raise ValueError('--backbone-only takes the checkpoint without '
                             'its config')
        return load_backbone(args.model, args.frames)
    if args.checkpoint is not None:
        return load_model(args.checkpoint, args.model)
    return load_model(args.model)


def main() -> None:
    """Export the model and print the report."""
    args = build_parser().parse_args()
    if args.threads is not None:
        torch.set_num_threads(args.threads)
    with user_errors():
        check_formats(args.formats)
        model, description = read_model(args)
        export_model(
            model,
            description,
            args.out,
            formats=args.formats,
            batch=args.batch,
            frames=args.frames,
            opset=args.opset,
            views=args.views,
            rounds=args.rounds)
    print((args.out / 'report.md').read_text())


if __name__ == '__main__':
    main()
