"""The video-text model, for pretraining and retrieval."""
from .gather import gather_features
from .losses import similarity
from .retrieval import RetrievalScorer, RetrievalScores
from .text_tower import TextTower
from .tokenizer import TextBatch, TextTokenizer
from .video_text_model import VideoTextModel
from .vision_tower import VisionOutput, VisionTower

__all__ = [
    'RetrievalScorer', 'RetrievalScores', 'TextBatch', 'TextTokenizer',
    'TextTower', 'VideoTextModel', 'VisionOutput', 'VisionTower',
    'gather_features', 'similarity'
]
