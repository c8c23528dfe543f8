"""Random augmentation of clips on a GPU, by draws made elsewhere."""
from .api import clip_augment, clip_augment_support
from .draws import DRAW_SIZE, MAX_OPERATIONS, ClipDraws, decode, encode

__all__ = [
    'DRAW_SIZE', 'MAX_OPERATIONS', 'ClipDraws', 'clip_augment',
    'clip_augment_support', 'decode', 'encode'
]
