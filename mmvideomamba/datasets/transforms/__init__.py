"""Transforms missing in the hosts."""
from .caption_media import OpenClip, ReadImage
from .clip_crop_erase import ClipRandomErasing, ClipRandomResizedCrop
from .clip_rand_augment import ClipRandAugment
from .decode import DecodeFrames, OpenVideo
from .decode_array import DecodeArray
from .decode_raw_frames import DecodeRawFrames
from .even_crops import EvenCrops
from .interval_sample import IntervalSample
from .load_checked_image import LoadCheckedImage
from .resize_short_edge import ResizeShortEdge
from .segment_sample import SegmentSample
from .shuffle_frames import ShuffleFrames
from .token_mask import TokenMask
from .uniform_window_sample import UniformWindowSample

__all__ = [
    'ClipRandAugment', 'ClipRandomErasing', 'ClipRandomResizedCrop',
    'DecodeArray', 'DecodeFrames', 'DecodeRawFrames', 'EvenCrops',
    'IntervalSample', 'LoadCheckedImage', 'OpenClip', 'OpenVideo', 'ReadImage',
    'ResizeShortEdge', 'SegmentSample', 'ShuffleFrames', 'TokenMask',
    'UniformWindowSample'
]
