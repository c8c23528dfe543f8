"""Arguments common to several verbs."""
import argparse


def add_config_and_device(parser: argparse.ArgumentParser) -> None:
    """Add the config of a checkpoint and the device of the model.

    Args:
        parser (argparse.ArgumentParser): Changed in place.
    """
    parser.add_argument(
        '--config', help='config, for a checkpoint without one')
    parser.add_argument(
        '--device', default='auto', help="'auto' (the default), 'cpu', 'cuda'")


def add_inputs(parser: argparse.ArgumentParser) -> None:
    """Add the videos or images.

    Args:
        parser (argparse.ArgumentParser): Changed in place.
    """
    parser.add_argument(
        'inputs',
        nargs='+',
        help='files, folders (with those inside), lists (.txt, a path a '
        'line), or - for a list from the standard input')
