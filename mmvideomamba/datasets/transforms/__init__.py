"""Transforms that the hosts do not have."""
from .decode import DecodeFrames, OpenVideo
from .masks import TokenMask
from .segment_sample import SegmentSample
from .shuffle_frames import ShuffleFrames

__all__ = [
    'DecodeFrames', 'OpenVideo', 'SegmentSample', 'ShuffleFrames', 'TokenMask'
]
