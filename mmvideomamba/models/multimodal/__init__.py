"""Models of videos and texts."""
from .gather import gather_features
from .losses import similarity
from .retrieval import RetrievalScorer, RetrievalScores
from .text_tower import TextTower
from .tokenizer import TextBatch, TextTokenizer
from .video_text_classifier import VideoTextClassifier
from .video_text_mc import VideoTextMC
from .video_text_model import VideoTextModel
from .video_text_qa import VideoTextQA
from .vision_tower import VisionOutput, VisionTower

__all__ = [
    'RetrievalScorer', 'RetrievalScores', 'TextBatch', 'TextTokenizer',
    'TextTower', 'VideoTextClassifier', 'VideoTextMC', 'VideoTextModel',
    'VideoTextQA', 'VisionOutput', 'VisionTower', 'gather_features',
    'similarity'
]
