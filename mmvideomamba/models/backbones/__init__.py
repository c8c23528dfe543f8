"""The VideoMamba backbone, for images and clips."""
from .cuda_graph import graphed
from .videomamba import VideoMamba

__all__ = ['VideoMamba', 'graphed']
