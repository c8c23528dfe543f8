"""Verbs of the command line."""
import argparse
import importlib
import sys
import warnings
from typing import Optional, Sequence

from mmvideomamba.exit_codes import INTERRUPTED
from mmvideomamba.thread_waits import let_threads_sleep
from mmvideomamba.version import __version__
from . import ask, choose, doctor, explain, export, features, predict, search

VERBS = dict(
    predict=predict,
    features=features,
    explain=explain,
    ask=ask,
    choose=choose,
    search=search,
    export=export,
    doctor=doctor)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line.

    Returns:
        argparse.ArgumentParser: With a parser for each of ``VERBS``.
    """
    parser = argparse.ArgumentParser(
        prog='mmvideomamba',
        description='Use trained models on videos and images. Training and '
        'test: mim train mmvideomamba CONFIG, or tools/train.py of a clone.')
    parser.add_argument('--version', action='version', version=__version__)
    verbs = parser.add_subparsers(dest='verb', metavar='VERB', required=True)
    for name, module in VERBS.items():
        verb = verbs.add_parser(
            name,
            help=module.HELP,
            description=module.DESCRIPTION,
            formatter_class=argparse.RawDescriptionHelpFormatter)
        module.add_arguments(verb)
    return parser


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Run a verb.

    Args:
        arguments (Sequence[str], optional): Words of the command line.
            Defaults to None, those of the process.

    Returns:
        int: Exit code, see ``exit_codes.py``.

    Raises:
        SystemExit: For a mistake of the user, with a message.
    """
    args = build_parser().parse_args(arguments)
    # Ahead of the verb's imports: OpenMP reads the policy when torch is
    # imported.
    let_threads_sleep()
    try:
        with warnings.catch_warnings():
            # Of the hosts, for the developers of the hosts.
            warnings.filterwarnings('ignore', module=r'(mm\w+|timm)\.')
            module = importlib.import_module(VERBS[args.verb].RUN)
        return module.run(args)
    except KeyboardInterrupt:
        sys.stderr.write('interrupted\n')
        return INTERRUPTED
