"""All data sets of the registry; the transforms are found by their own."""
from .captions import (CaptionClassDataset, CaptionDataset, RetrievalDataset,
                       VideoMCDataset, VideoQADataset)
from .checked_image_dataset import CheckedImageFolder, CheckedImageNet
from .checked_rawframe_dataset import CheckedRawframeDataset
from .checked_video_dataset import CheckedVideoDataset
from .shard_video_dataset import ShardVideoDataset
from .window_video_dataset import WindowVideoDataset

__all__ = [
    'CaptionClassDataset', 'CaptionDataset', 'CheckedImageFolder',
    'CheckedImageNet', 'CheckedRawframeDataset', 'CheckedVideoDataset',
    'RetrievalDataset', 'ShardVideoDataset', 'VideoMCDataset',
    'VideoQADataset', 'WindowVideoDataset'
]
