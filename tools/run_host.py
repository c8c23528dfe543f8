"""Run a tool of mmaction2 or mmpretrain with mmvideomamba imported first.

Some of their tools load a model or a checkpoint without reading a config
that could import the plugin. For example::

    python tools/run_host.py mmaction analysis_tools/confusion_matrix.py \
        CONFIG CHECKPOINT --show-path out.png
"""
import argparse
import runpy
import sys
from importlib.util import find_spec
from pathlib import Path

import mmvideomamba  # noqa: F401, heals the hosts

HOSTS = ('mmaction', 'mmpretrain')


def find_tool(host: str, name: str) -> Path:
    """Find a tool of an installed host.

    Args:
        host (str): 'mmaction' or 'mmpretrain'.
        name (str): Path below the host's tools folder, or a file name that
            occurs there once; '.py' may be left out.

    Returns:
        Path: The script.

    Raises:
        FileNotFoundError: If the host or the tool is not installed.
        ValueError: If several tools have that name.
    """
    spec = find_spec(host)
    root = spec and Path(spec.origin).parent / '.mim' / 'tools'
    if root is None or not root.is_dir():
        raise FileNotFoundError(f'the tools of {host} are not installed; '
                                'install its wheel')
    wanted = Path(name).with_suffix('.py')
    if (root / wanted).is_file():
        return root / wanted
    tools = [path.relative_to(root) for path in sorted(root.rglob('*.py'))]
    found = [tool for tool in tools if tool.name == str(wanted)]
    if len(found) == 1:
        return root / found[0]
    if found:
        raise ValueError(f'{host} has several tools {name}: '
                         f'{", ".join(map(str, found))}')
    raise FileNotFoundError(f'{host} has no tool {name}; it has '
                            f'{", ".join(map(str, tools))}')


def main() -> None:
    """Parse the command line and become the tool."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('host', choices=HOSTS)
    parser.add_argument('tool', help='path below the tools folder of the host')
    parser.add_argument('args', nargs=argparse.REMAINDER)
    args = parser.parse_args()
    try:
        tool = find_tool(args.host, args.tool)
    except (FileNotFoundError, ValueError) as error:
        parser.error(str(error))
    sys.argv = [str(tool), *args.args]
    sys.path[0] = str(tool.parent)
    runpy.run_path(str(tool), run_name='__main__')


if __name__ == '__main__':
    main()
