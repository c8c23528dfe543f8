"""Which tokens, frames and pixels a class comes from."""
from .explain import METHODS, check_model, relevance
from .hidden_attention import ClassRow, class_row
from .to_frames import to_frames

__all__ = [
    'ClassRow', 'METHODS', 'check_model', 'class_row', 'relevance', 'to_frames'
]
