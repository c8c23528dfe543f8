"""Metrics that the hosts do not have."""
from .video_metrics import MSEMetric, WindowAccMetric, merge_windows

__all__ = ['MSEMetric', 'WindowAccMetric', 'merge_windows']
