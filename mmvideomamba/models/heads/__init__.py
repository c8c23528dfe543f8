"""Task heads."""
from .videomamba_head import VideoMambaHead

__all__ = ['VideoMambaHead']
