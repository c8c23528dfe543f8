"""Datasets and transforms that the hosts do not have.

Imported at their first use: the lists and readers of videos in this folder
need neither torch nor a host.
"""
from mmvideomamba.late_names import late_names

__all__ = [
    'CaptionClassDataset', 'CaptionDataset', 'CheckedImageFolder',
    'CheckedImageNet', 'CheckedRawframeDataset', 'CheckedVideoDataset',
    'RetrievalDataset', 'ShardVideoDataset', 'VideoMCDataset',
    'VideoQADataset', 'WindowVideoDataset'
]

__getattr__, __dir__ = late_names(__name__,
                                  dict.fromkeys(__all__, 'registered'))
