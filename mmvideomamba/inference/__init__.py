"""Prediction for videos for inferencers, tools and demos.

``Predictor`` and ``VideoTextPredictor`` are imported at their first use:
they need the models.
"""
import importlib
from typing import Any

from .drawing import draw_results
from .predict import is_ours
from .recognize import build_inference, recognize
from .video_inference import VideoInference, extra_values, to_dict
from .views import check_views, set_test_views, set_views

__all__ = [
    'Answer', 'Features', 'Prediction', 'Predictor', 'TextTooLong',
    'VideoEmbedding', 'VideoInference', 'VideoTextPredictor',
    'build_inference', 'check_views', 'draw_results', 'extra_values',
    'is_ours', 'recognize', 'set_test_views', 'set_views', 'to_dict'
]

_LATE = dict(
    Answer='video_text',
    Features='predictor',
    Prediction='predictor',
    Predictor='predictor',
    TextTooLong='video_text',
    VideoEmbedding='video_text',
    VideoTextPredictor='video_text')


def __getattr__(name: str) -> Any:
    """Import a public name at its first use."""
    if name not in _LATE:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    return getattr(importlib.import_module(f'{__name__}.{_LATE[name]}'), name)
