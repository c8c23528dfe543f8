"""Datasets and transforms that the hosts do not have."""
from .checked_video_dataset import CheckedVideoDataset
from .window_video_dataset import WindowVideoDataset

__all__ = ['CheckedVideoDataset', 'WindowVideoDataset']
