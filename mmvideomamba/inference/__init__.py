"""Prediction for single videos, behind inferencers, tools and demos."""
from .drawing import draw_results
from .predict import is_ours
from .recognize import build_inference, recognize
from .video_inference import VideoInference, extra_values, to_dict
from .views import check_views, set_test_views, set_views

__all__ = [
    'VideoInference', 'build_inference', 'check_views', 'draw_results',
    'extra_values', 'is_ours', 'recognize', 'set_test_views', 'set_views',
    'to_dict'
]
