"""Transforms that the hosts do not have."""
from .caption_media import OpenClip, ReadImage
from .decode import DecodeFrames, OpenVideo
from .interval_sample import IntervalSample
from .masks import TokenMask
from .segment_sample import SegmentSample
from .shuffle_frames import ShuffleFrames

__all__ = [
    'DecodeFrames', 'IntervalSample', 'OpenClip', 'OpenVideo', 'ReadImage',
    'SegmentSample', 'ShuffleFrames', 'TokenMask'
]
