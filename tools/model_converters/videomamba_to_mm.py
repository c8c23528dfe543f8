"""Convert a published VideoMamba file to a checkpoint of ours.

Tensors are renamed or left out, never changed: position tables and patch
kernels are resized later, when a model loads the checkpoint.
Every change is printed. For example::

    python tools/model_converters/videomamba_to_mm.py \
        videomamba_t16_k400_f8_res224.pth checkpoints/tiny_k400.pth

    python tools/test.py CONFIG checkpoints/tiny_k400.pth
"""
import argparse
from pathlib import Path
from typing import Dict, List, Tuple

import mmvideomamba
from mmvideomamba.command_line import user_errors

# The keys of HEADS in mmvideomamba.checkpoints; an import would load torch
# before --help is answered.
TASKS = ('recognizer', 'classifier', 'distilled', 'backbone')


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('source', type=Path, help='published file')
    parser.add_argument('target', type=Path, help='checkpoint to write')
    parser.add_argument(
        '--task',
        choices=TASKS,
        default='recognizer',
        help='what will load it: a recognizer of mmaction2, a classifier of '
        'mmpretrain, our distilled classifier, or any model, without a head '
        '(default: recognizer)')
    parser.add_argument(
        '--ema',
        action='store_true',
        help='take the EMA weights of the file, the average over the training')
    return parser


if __name__ == '__main__':
    # Answers --help and refuses wrong options first: the imports below take
    # seconds.
    build_parser().parse_args()

import torch
from torch import Tensor

from mmvideomamba.checkpoints import (Change, convert, log_changes,
                                      read_checkpoint)


def convert_file(
        args: argparse.Namespace) -> Tuple[Dict[str, Tensor], List[Change]]:
    """Read and convert a published file.

    Args:
        args (argparse.Namespace): See ``build_parser``.

    Returns:
        tuple[dict[str, Tensor], list[Change]]: Weights, and the changes.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the target exists, or the source cannot be used.
    """
    if args.target.exists():
        raise ValueError(
            f'{args.target} exists; remove it or choose another name')
    # Published training files keep the command line of the training, allowed
    # by the converters only.
    checkpoint = read_checkpoint(args.source, allow=[argparse.Namespace])
    try:
        return convert(checkpoint, args.task, args.ema)
    except ValueError as error:
        raise ValueError(f'{args.source}: {error}') from error


def main() -> None:
    """Convert a file."""
    args = build_parser().parse_args()
    with user_errors():
        state_dict, changes = convert_file(args)
    args.target.parent.mkdir(parents=True, exist_ok=True)
    meta = dict(
        source=args.source.name,
        task=args.task,
        ema=args.ema,
        mmvideomamba_version=mmvideomamba.__version__)
    torch.save(dict(state_dict=state_dict, meta=meta), args.target)
    log_changes(changes, grouped=False)
    print(f'{len(state_dict)} tensors written to {args.target}')


if __name__ == '__main__':
    main()
