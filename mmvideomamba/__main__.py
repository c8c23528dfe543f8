"""``python -m mmvideomamba``, as the command ``mmvideomamba``."""
import sys

from .cli import main

if __name__ == '__main__':
    sys.exit(main())
