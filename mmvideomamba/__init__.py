"""VideoMamba for OpenMMLab.

Importing the package heals what the released hosts break on current torch,
numpy and transformers (see ``compat``) and nothing else: no model, dataset or
host model is imported, so it may stand first in any script or config.
"""
from . import compat
from .version import __version__

compat.apply()

__all__ = ['__version__', 'compat']
