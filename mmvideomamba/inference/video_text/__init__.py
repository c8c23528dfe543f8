"""Videos and texts of a user: embeddings, a judge, answers and choices."""
from .embedding import VideoEmbedding
from .predictor import VideoTextPredictor
from .questions import Answer
from .texts import TextTooLong

__all__ = ['Answer', 'TextTooLong', 'VideoEmbedding', 'VideoTextPredictor']
