"""Predictions and features of many files, without a config."""
from .features import Features
from .prediction import Prediction
from .predictor import Predictor

__all__ = ['Features', 'Prediction', 'Predictor']
