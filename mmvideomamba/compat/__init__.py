"""Remedies for bugs of the released hosts, applied by ``import mmvideomamba``.

Only files of this folder may patch a host. A file holds a single remedy and is
called like the remedy's row in docs/compatibility.md and in the doctor's
report: a function that returns the cause, '' where the host is sound, and a
cure, called only with a cause. No model of a host is imported here, because
several remedies must be in place before the first model is.
"""
from typing import List

from . import (checkpoint, compile, cpu_ranks, drn, inferencer, multimodal,
               pkg_resources, pytorchvideo)
from .cpu_ranks import cpu_ranks_cfg
from .multimodal import TRANSFORMERS_RANGE, multimodal_trouble
from .remedy import Remedy, installed_version, package_dir

__all__ = [
    'REMEDIES', 'TRANSFORMERS_RANGE', 'Remedy', 'apply', 'cpu_ranks_cfg',
    'installed_version', 'multimodal_trouble', 'package_dir'
]

# The order of application and of the report.
REMEDIES: List[Remedy] = [
    pkg_resources.REMEDY, drn.REMEDY, checkpoint.REMEDY, multimodal.REMEDY,
    cpu_ranks.REMEDY, compile.REMEDY, pytorchvideo.REMEDY, inferencer.REMEDY
]


def apply() -> None:
    """Apply every remedy whose cause is present. Further calls do nothing."""
    for remedy in REMEDIES:
        remedy.apply()
