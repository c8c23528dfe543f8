"""Models; importing this package fills the MODELS registry."""
from .backbones import VideoMamba
from .distillation import (DistilledClassifier, DistilledRecognizer3D,
                           TokenDistillHead)
from .heads import VideoMambaHead
from .layers import BiMambaMixer, MambaBlock
from .multimodal import (TextTower, VideoTextMC, VideoTextModel, VideoTextQA,
                         VisionTower)
from .selfsup import (UMT, AlignmentLoss, CachedTeacher, CLIPTeacher,
                      CLIPTower, UMTDecoder)

__all__ = [
    'AlignmentLoss', 'BiMambaMixer', 'CLIPTeacher', 'CLIPTower',
    'CachedTeacher', 'DistilledClassifier', 'DistilledRecognizer3D',
    'MambaBlock', 'TextTower', 'TokenDistillHead', 'UMT', 'UMTDecoder',
    'VideoMamba', 'VideoMambaHead', 'VideoTextMC', 'VideoTextModel',
    'VideoTextQA', 'VisionTower'
]
