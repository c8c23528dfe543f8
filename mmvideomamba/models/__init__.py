"""Models; importing this package fills the MODELS registry."""
from .backbones import VideoMamba
from .heads import VideoMambaHead
from .layers import BiMambaMixer, MambaBlock
from .selfsup import (UMT, AlignmentLoss, CachedTeacher, CLIPTeacher,
                      CLIPTower, UMTDecoder)

__all__ = [
    'AlignmentLoss', 'BiMambaMixer', 'CLIPTeacher', 'CLIPTower',
    'CachedTeacher', 'MambaBlock', 'UMT', 'UMTDecoder', 'VideoMamba',
    'VideoMambaHead'
]
