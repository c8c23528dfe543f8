"""Models; importing this package fills the MODELS registry."""
from .backbones import VideoMamba
from .distillation import (DistilledClassifier, DistilledRecognizer3D,
                           TokenDistillHead)
from .heads import AttentiveHead, VideoMambaHead, VideoMambaRegressionHead
from .layers import AttentivePool, BiMambaMixer, MambaBlock
from .masking import CachedTeacher, CLIPTeacher, CLIPTower
from .multimodal import (TextTower, VideoTextClassifier, VideoTextMC,
                         VideoTextModel, VideoTextQA, VisionTower)
from .selfsup import UMT, AlignmentLoss, UMTDecoder

__all__ = [
    'AlignmentLoss', 'AttentiveHead', 'AttentivePool', 'BiMambaMixer',
    'CLIPTeacher', 'CLIPTower', 'CachedTeacher', 'DistilledClassifier',
    'DistilledRecognizer3D', 'MambaBlock', 'TextTower', 'TokenDistillHead',
    'UMT', 'UMTDecoder', 'VideoMamba', 'VideoMambaHead',
    'VideoMambaRegressionHead', 'VideoTextClassifier', 'VideoTextMC',
    'VideoTextModel', 'VideoTextQA', 'VisionTower'
]
