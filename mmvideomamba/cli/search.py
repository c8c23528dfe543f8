"""Arguments of ``mmvideomamba search``, and verbs below."""
import argparse
from typing import Any

from . import search_index, search_query, search_serve

RUN = 'mmvideomamba.cli.run_search'
HELP = 'find videos by words: index a folder, then query or serve'
DESCRIPTION = """\
Search your own videos by words, with a model of configs/retrieval.

  mmvideomamba search index videos/ --model work_dirs/x --out INDEX
  mmvideomamba search query INDEX "a red square moves left"
  mmvideomamba search serve INDEX

See docs/search.md."""
VERBS = dict(index=search_index, query=search_query, serve=search_serve)


class IntermixedParser(argparse.ArgumentParser):
    """A parser that takes a sentence after options too.

    Python before 3.12.7 gives an argument that may be left out no second
    chance after an option.
    """

    _inside = False

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """See ``argparse.ArgumentParser``."""
        if self._inside:
            return super().parse_known_args(args, namespace)
        # The function below calls parse_known_args in turn.
        self._inside = True
        try:
            return self.parse_known_intermixed_args(args, namespace)
        finally:
            self._inside = False


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verbs and their arguments.

    Args:
        parser (argparse.ArgumentParser): Changed in place.
    """
    verbs = parser.add_subparsers(
        dest='search_verb',
        metavar='VERB',
        required=True,
        parser_class=IntermixedParser)
    for name, module in VERBS.items():
        verb = verbs.add_parser(
            name,
            help=module.HELP,
            description=module.DESCRIPTION,
            formatter_class=argparse.RawDescriptionHelpFormatter)
        module.add_arguments(verb)
