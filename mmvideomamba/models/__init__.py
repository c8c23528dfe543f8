"""Models; importing this package fills the MODELS registry."""
from .backbones import VideoMamba
from .heads import VideoMambaHead
from .layers import BiMambaMixer, MambaBlock

__all__ = ['BiMambaMixer', 'MambaBlock', 'VideoMamba', 'VideoMambaHead']
