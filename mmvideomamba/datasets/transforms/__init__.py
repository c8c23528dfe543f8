"""Transforms that the hosts do not have."""
from .decode import DecodeFrames, OpenVideo
from .segment_sample import SegmentSample
from .shuffle_frames import ShuffleFrames

__all__ = ['DecodeFrames', 'OpenVideo', 'SegmentSample', 'ShuffleFrames']
