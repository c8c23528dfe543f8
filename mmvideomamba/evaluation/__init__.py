"""Metrics missing or wrong in the hosts."""
from .prompt_acc import PromptAccMetric
from .report_evaluator import ReportEvaluator
from .video_metrics import MSEMetric, WindowAccMetric, merge_windows
from .video_text_recall import VideoTextRecall

__all__ = [
    'MSEMetric', 'PromptAccMetric', 'ReportEvaluator', 'VideoTextRecall',
    'WindowAccMetric', 'merge_windows'
]
