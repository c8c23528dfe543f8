"""Datasets and transforms that the hosts do not have."""
from .caption_dataset import CaptionDataset
from .checked_video_dataset import CheckedVideoDataset
from .question_dataset import VideoMCDataset, VideoQADataset
from .retrieval_dataset import RetrievalDataset
from .window_video_dataset import WindowVideoDataset

__all__ = [
    'CaptionDataset', 'CheckedVideoDataset', 'RetrievalDataset',
    'VideoMCDataset', 'VideoQADataset', 'WindowVideoDataset'
]
