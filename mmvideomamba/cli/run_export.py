"""The verb ``export``."""
import argparse
import sys
from typing import Any, Tuple

import torch

from mmvideomamba.command_line import user_errors
from mmvideomamba.deployment import check_formats, export_model
from mmvideomamba.deployment.source import (load_backbone, load_model,
                                            random_backbone)


def read_model(args: argparse.Namespace) -> Tuple[Any, dict]:
    """Load the model of a command line.

    Args:
        args (argparse.Namespace): See ``export.add_arguments``.

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


def run(args: argparse.Namespace) -> int:
    """Export the model and print the report.

    Args:
        args (argparse.Namespace): See ``export.add_arguments``.

    Returns:
        int: Exit code, 0.

    Raises:
        SystemExit: For a mistake of the user, with a message.
    """
    with user_errors():
        if args.threads is not None:
            if args.threads < 1:
                raise ValueError(
                    f'--threads must be at least 1, but got {args.threads}')
            torch.set_num_threads(args.threads)
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
    sys.stdout.write((args.out / 'report.md').read_text() + '\n')
    return 0
