"""The verb ``doctor``."""
import argparse

from mmvideomamba.doctor.__main__ import main


def run(args: argparse.Namespace) -> int:
    """Print the report, or the table of the kernels.

    Args:
        args (argparse.Namespace): See ``doctor.add_arguments``.

    Returns:
        int: Exit code, see ``mmvideomamba.doctor``.
    """
    return main(['--gpu'] if args.gpu else [])
