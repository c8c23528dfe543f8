#!/usr/bin/env python
"""Count the parameters and the multiply-accumulates of a model of ours.

A classifier or a recognizer is counted on a view, an image or a clip of the
size in the config:

- ``published rule``: patch embedding, input and output projections, head,
  and five operations per element for each norm, as in the published tables,
  where the column is called FLOPs. Scans are left out.
- ``all``: every product, convolution, scan, gate and norm.

A model with a teacher, masks or a text tower is counted on the forward of a
training sample, part by part.

A multiply-accumulate counts as 1. ``mmvideomamba.analysis.mac_counter``
has the formulas. The tool of mmaction2 counts no fused scan.
"""
import argparse

from mmvideomamba.command_line import add_config_options, user_errors


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    add_config_options(parser)
    return parser


if __name__ == '__main__':
    # Answers --help and refuses wrong options first: the imports below take
    # seconds.
    build_parser().parse_args()

from mmengine.config import Config

from mmvideomamba.analysis import cost_report
from mmvideomamba.command_line import find_config, merge_options


def main() -> None:
    """Parse the command line and print the report."""
    args = build_parser().parse_args()
    with user_errors():
        cfg = Config.fromfile(find_config(args.config))
        merge_options(cfg, args.cfg_options)
        print(cost_report(cfg))


if __name__ == '__main__':
    main()
