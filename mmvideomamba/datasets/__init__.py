"""Datasets and transforms that the hosts do not have."""
from .captions import (CaptionDataset, RetrievalDataset, VideoMCDataset,
                       VideoQADataset)
from .checked_video_dataset import CheckedVideoDataset
from .window_video_dataset import WindowVideoDataset

__all__ = [
    'CaptionDataset', 'CheckedVideoDataset', 'RetrievalDataset',
    'VideoMCDataset', 'VideoQADataset', 'WindowVideoDataset'
]
