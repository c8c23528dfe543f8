"""The one backbone, for images and clips."""
from .adapt_checkpoint import adapt_checkpoint
from .cuda_graph import graphed
from .videomamba import VideoMamba

__all__ = ['VideoMamba', 'adapt_checkpoint', 'graphed']
