"""Models; importing this package fills the MODELS registry."""
from .backbones import VideoMamba
from .distillation import (DistilledClassifier, DistilledRecognizer3D,
                           TokenDistillHead)
from .heads import VideoMambaHead
from .layers import BiMambaMixer, MambaBlock

__all__ = [
    'BiMambaMixer', 'DistilledClassifier', 'DistilledRecognizer3D',
    'MambaBlock', 'TokenDistillHead', 'VideoMamba', 'VideoMambaHead'
]
