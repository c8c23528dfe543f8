"""Learning-rate schedules that mmengine does not have."""
from .floored_cosine_lr import FlooredCosineLR
from .unshifted_cosine_lr import UnshiftedCosineLR

__all__ = ['FlooredCosineLR', 'UnshiftedCosineLR']
