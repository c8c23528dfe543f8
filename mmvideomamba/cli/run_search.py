"""The verb ``search``: runs a verb below."""
import argparse
import importlib

from .search import VERBS


def run(args: argparse.Namespace) -> int:
    """Run a verb of the search.

    Args:
        args (argparse.Namespace): See ``search.add_arguments``.

    Returns:
        int: Exit code.
    """
    return importlib.import_module(VERBS[args.search_verb].RUN).run(args)
