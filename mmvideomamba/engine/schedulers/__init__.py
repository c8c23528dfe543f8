"""Learning-rate schedules that mmengine does not have."""
from .unshifted_cosine_lr import UnshiftedCosineLR

__all__ = ['UnshiftedCosineLR']
