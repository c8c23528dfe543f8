"""Command line of the doctor."""
import argparse
import importlib
import sys
from typing import Optional, Sequence


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Print the report, or the table of the kernels.

    Args:
        arguments (Sequence[str], optional): Options. Defaults to None, the
            options of the command line.

    Returns:
        int: Exit code: 0 if all is well, 1 if anything needed is broken or a
        kernel is wrong, ``UNAVAILABLE`` of ``exit_codes.py`` without a GPU.
    """
    parser = argparse.ArgumentParser(
        prog='python -m mmvideomamba.doctor',
        description='Say what works on this machine.')
    parser.add_argument(
        '--gpu',
        action='store_true',
        help='compare every kernel, forward and backward, with float64 on '
        'each kind of GPU here, and keep the verdict; up to a minute, and a '
        'few minutes where the kernels are still to be compiled')
    given = parser.parse_args(arguments)
    # Not at the top: torch takes seconds, for which --help need not wait.
    if given.gpu:
        return importlib.import_module(
            'mmvideomamba.doctor.kernels').check_kernels()
    return importlib.import_module(
        'mmvideomamba.doctor.report').report_machine()


if __name__ == '__main__':
    sys.exit(main())
