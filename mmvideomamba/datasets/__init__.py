"""Datasets and transforms that the hosts do not have.

The data sets of images are apart, in ``checked_image_dataset``: mmpretrain
takes seconds to import, and no tool for videos needs it.
"""
from .captions import (CaptionDataset, RetrievalDataset, VideoMCDataset,
                       VideoQADataset)
from .checked_rawframe_dataset import CheckedRawframeDataset
from .checked_video_dataset import CheckedVideoDataset
from .window_video_dataset import WindowVideoDataset

__all__ = [
    'CaptionDataset', 'CheckedRawframeDataset', 'CheckedVideoDataset',
    'RetrievalDataset', 'VideoMCDataset', 'VideoQADataset',
    'WindowVideoDataset'
]
