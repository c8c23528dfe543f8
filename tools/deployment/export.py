#!/usr/bin/env python
"""Export a model into files: ``mmvideomamba export`` for a clone.

See ``python tools/deployment/export.py --help``.
"""
import sys

from mmvideomamba.cli import main

if __name__ == '__main__':
    sys.exit(main(['export', *sys.argv[1:]]))
