"""Predictions and features of many files, without a config."""
from .prediction import Prediction
from .predictor import Predictor

__all__ = ['Prediction', 'Predictor']
