"""Run a tool of mmaction2 or mmpretrain with mmvideomamba imported first.

Some tools of the hosts load a model or a checkpoint without reading a config,
and so without importing the plugin. Two tools get remedies on the way, see
mmvideomamba/compat/tools.py; docs/host_tools.md lists the tools. For example::

    python tools/run_host.py mmaction analysis_tools/confusion_matrix.py \
        CONFIG CHECKPOINT --show-path out.png
"""
import argparse
import runpy
import sys

from mmvideomamba.command_line import HOSTS, find_tool, user_errors


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('host', choices=HOSTS)
    parser.add_argument('tool', help='path below the tools folder of the host')
    parser.add_argument('args', nargs=argparse.REMAINDER)
    return parser


if __name__ == '__main__':
    # Answers --help and refuses wrong options first: the imports below take
    # seconds.
    build_parser().parse_args()

from mmvideomamba.compat.tools import TOOL_REMEDIES


def main() -> None:
    """Parse the command line and become the tool."""
    args = build_parser().parse_args()
    with user_errors():
        tool = find_tool(args.host, args.tool)
    sys.argv = [str(tool), *args.args]
    sys.path[0] = str(tool.parent)  # as Python sets the path for a script
    remedy = TOOL_REMEDIES.get((args.host, tool.name))
    if remedy is None:
        runpy.run_path(str(tool), run_name='__main__')
        return
    main_of_tool = runpy.run_path(str(tool), run_name=tool.stem)['main']
    remedy(main_of_tool.__globals__)
    main_of_tool()


if __name__ == '__main__':
    main()
