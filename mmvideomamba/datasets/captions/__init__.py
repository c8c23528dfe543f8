"""Caption files: their formats and texts, and the data sets over them."""
from .caption_dataset import CaptionDataset
from .question_dataset import VideoMCDataset, VideoQADataset
from .retrieval_dataset import RetrievalDataset

__all__ = [
    'CaptionDataset', 'RetrievalDataset', 'VideoMCDataset', 'VideoQADataset'
]
