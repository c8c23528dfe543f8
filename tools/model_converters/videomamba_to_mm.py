"""Convert a published VideoMamba file to a checkpoint of ours.

Tensors are renamed or left out, never changed: position tables and patch
kernels are fitted when the checkpoint is loaded, to whatever model loads it.
Every change is printed. For example::

    python tools/model_converters/videomamba_to_mm.py \
        videomamba_t16_k400_f8_res224.pth checkpoints/tiny_k400.pth

    python tools/test.py CONFIG checkpoints/tiny_k400.pth
"""
import argparse
from pathlib import Path

import torch

import mmvideomamba
from mmvideomamba.checkpoints import (HEADS, convert, log_changes,
                                      read_checkpoint)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('source', type=Path, help='published file')
    parser.add_argument('target', type=Path, help='checkpoint to write')
    parser.add_argument(
        '--task',
        choices=tuple(HEADS),
        default='recognizer',
        help='what will load it: a recognizer of mmaction2, a classifier of '
        'mmpretrain, our distilled classifier, or any model, without a head '
        '(default: recognizer)')
    parser.add_argument(
        '--ema',
        action='store_true',
        help='take the EMA weights of the file, the average over the training')
    return parser


def main() -> None:
    """Convert one file."""
    parser = build_parser()
    args = parser.parse_args()
    if args.target.exists():
        parser.error(f'{args.target} exists; remove it or choose another name')
    try:
        # Published training files keep their command line; it is allowed
        # here, and only here.
        checkpoint = read_checkpoint(args.source, allow=[argparse.Namespace])
    except (FileNotFoundError, ValueError) as error:
        parser.error(str(error))
    try:
        state_dict, changes = convert(checkpoint, args.task, args.ema)
    except ValueError as error:
        parser.error(f'{args.source}: {error}')
    args.target.parent.mkdir(parents=True, exist_ok=True)
    meta = dict(
        source=args.source.name,
        task=args.task,
        ema=args.ema,
        mmvideomamba_version=mmvideomamba.__version__)
    torch.save(dict(state_dict=state_dict, meta=meta), args.target)
    log_changes(changes)
    print(f'{len(state_dict)} tensors written to {args.target}')


if __name__ == '__main__':
    main()
