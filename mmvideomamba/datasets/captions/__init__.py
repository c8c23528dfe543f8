"""Caption files: formats, texts, and the data sets of captions."""
from .caption_class_dataset import CaptionClassDataset
from .caption_dataset import CaptionDataset
from .question_dataset import VideoMCDataset, VideoQADataset
from .retrieval_dataset import RetrievalDataset

__all__ = [
    'CaptionClassDataset', 'CaptionDataset', 'RetrievalDataset',
    'VideoMCDataset', 'VideoQADataset'
]
