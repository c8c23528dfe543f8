"""Learning-rate schedules missing in mmengine."""
from .floored_cosine_lr import FlooredCosineLR
from .per_update_lr import PerUpdateCosineAnnealingLR, PerUpdateLinearLR
from .unshifted_cosine_lr import UnshiftedCosineLR

__all__ = [
    'FlooredCosineLR', 'PerUpdateCosineAnnealingLR', 'PerUpdateLinearLR',
    'UnshiftedCosineLR'
]
