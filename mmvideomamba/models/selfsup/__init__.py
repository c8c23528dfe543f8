"""Masked distillation pretraining, in mmpretrain's terms."""
from .alignment_loss import AlignmentLoss
from .cached_teacher import CachedTeacher
from .clip_teacher import CLIPTeacher, TeacherOutput
from .clip_tower import CLIPTower
from .umt import UMT, Alignment
from .umt_decoder import UMTDecoder

__all__ = [
    'Alignment', 'AlignmentLoss', 'CLIPTeacher', 'CLIPTower', 'CachedTeacher',
    'TeacherOutput', 'UMT', 'UMTDecoder'
]
