"""Arguments of ``mmvideomamba doctor``."""
import argparse

RUN = 'mmvideomamba.cli.run_doctor'
HELP = 'say what works on this machine'
DESCRIPTION = 'Say what works on this machine.'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments.

    Args:
        parser (argparse.ArgumentParser): Changed in place.
    """
    parser.add_argument(
        '--gpu',
        action='store_true',
        help='compare every kernel with float64 on each kind of GPU here, '
        'which takes up to some minutes')
