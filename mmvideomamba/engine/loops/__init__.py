"""Loops that the hosts do not have."""
from .retrieval_loop import RetrievalTestLoop, RetrievalValLoop

__all__ = ['RetrievalTestLoop', 'RetrievalValLoop']
