"""Transforms that the hosts do not have."""
from .decode import DecodeFrames, OpenVideo
from .masks import TokenMask
from .shuffle_frames import ShuffleFrames

__all__ = ['DecodeFrames', 'OpenVideo', 'ShuffleFrames', 'TokenMask']
