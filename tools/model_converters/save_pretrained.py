"""Save a checkpoint as a folder that loads without config and data.

For example::

    python tools/model_converters/save_pretrained.py \
        work_dirs/quickstart/epoch_25.pth --out saved --licence apache-2.0

    python -c "import mmvideomamba; mmvideomamba.load('saved')"
"""
import argparse
from pathlib import Path

import mmvideomamba
from mmvideomamba.command_line import user_errors


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        'checkpoint',
        help='checkpoint of a training, published file or name of one, or id '
        'of the Hugging Face Hub')
    parser.add_argument(
        '--out', type=Path, required=True, help='folder to write')
    parser.add_argument(
        '--config', help='config, for a checkpoint without one inside')
    parser.add_argument(
        '--licence',
        help='licence of the weights, such as apache-2.0 (default: unknown, '
        'or as published)')
    return parser


def main() -> None:
    """Save a checkpoint."""
    args = build_parser().parse_args()
    with user_errors():
        mmvideomamba.save_pretrained(args.checkpoint, args.out, args.config,
                                     args.licence)


if __name__ == '__main__':
    main()
