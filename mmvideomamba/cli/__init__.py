"""The command ``mmvideomamba``.

``--help`` answers at once: the modules of this folder import the standard
library alone, and a verb imports the rest when it runs.
"""
from .main import main

__all__ = ['main']
