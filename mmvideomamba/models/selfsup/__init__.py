"""Masked distillation pretraining, in mmpretrain's terms."""
from .alignment_loss import AlignmentLoss
from .umt import UMT, Alignment
from .umt_decoder import UMTDecoder

__all__ = ['Alignment', 'AlignmentLoss', 'UMT', 'UMTDecoder']
