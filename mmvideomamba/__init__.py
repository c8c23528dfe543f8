"""VideoMamba for OpenMMLab.

Importing the package heals what the released hosts break on current torch,
numpy and transformers (see ``compat``) when the hosts are imported, and
nothing else: neither torch nor a host is, so it may stand first in any script
or config.
``load``, ``save_pretrained`` and ``VideoMamba`` are imported at their first
use.
"""
from . import compat
from .late_names import late_names
from .version import __version__

compat.apply()

__all__ = ['VideoMamba', '__version__', 'compat', 'load', 'save_pretrained']

__getattr__, __dir__ = late_names(
    __name__,
    dict(
        VideoMamba='models',
        load='inference.saved',
        save_pretrained='inference.saved'))
