"""Datasets and transforms that the hosts do not have."""
from .checked_video_dataset import CheckedVideoDataset

__all__ = ['CheckedVideoDataset']
