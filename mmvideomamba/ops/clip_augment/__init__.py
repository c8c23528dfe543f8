"""Random augmentation of clips on a GPU, by draws made elsewhere."""
from .draws import DRAW_SIZE, MAX_OPERATIONS, ClipDraws, decode, encode

__all__ = ['DRAW_SIZE', 'MAX_OPERATIONS', 'ClipDraws', 'decode', 'encode']
