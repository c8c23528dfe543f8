"""Loops that the hosts do not have."""
from .modality_loop import ModalityLoader, ModalityTrainLoop
from .retrieval_loop import RetrievalTestLoop, RetrievalValLoop

__all__ = [
    'ModalityLoader', 'ModalityTrainLoop', 'RetrievalTestLoop',
    'RetrievalValLoop'
]
