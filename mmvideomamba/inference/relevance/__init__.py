"""Which tokens, frames and pixels a class comes from."""
from .explain import METHODS, relevance
from .hidden_attention import ClassRow, class_row
from .to_frames import to_frames

__all__ = ['ClassRow', 'METHODS', 'class_row', 'relevance', 'to_frames']
