"""Loops that the hosts do not have."""
from .modality_loop import ModalityLoader, ModalityTrainLoop
from .prompt_loop import PromptTestLoop, PromptValLoop
from .retrieval_loop import RetrievalTestLoop, RetrievalValLoop

__all__ = [
    'ModalityLoader', 'ModalityTrainLoop', 'PromptTestLoop', 'PromptValLoop',
    'RetrievalTestLoop', 'RetrievalValLoop'
]
