"""Run scripts one after the other in an interpreter without decord.

Arguments: a script and its arguments, '--', the next script, and so on. A
module is named by a path without '.py'.
"""
import itertools
import runpy
import sys
from typing import Any, Dict

modules: Dict[str, Any] = sys.modules
modules['decord'] = None  # an import raises ModuleNotFoundError


def main() -> None:
    """Run the scripts until an exit code is not 0."""
    parts = itertools.groupby(sys.argv[1:], lambda text: text == '--')
    for script, *arguments in (list(part) for ends, part in parts if not ends):
        sys.argv = [script, *arguments]
        try:
            if script.endswith('.py'):
                runpy.run_path(script, run_name='__main__')
            else:
                runpy.run_module(script, run_name='__main__', alter_sys=True)
        except SystemExit as end:
            if end.code:
                raise


if __name__ == '__main__':
    main()
