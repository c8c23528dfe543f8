"""Predictions, features and relevance of many files, without a config."""
from .explanation import Explanation, View
from .features import Features
from .prediction import Prediction
from .predictor import Predictor

__all__ = ['Explanation', 'Features', 'Prediction', 'Predictor', 'View']
