"""Cost of a model: multiply-accumulates by part and kind, and memory."""
from .cost_report import (build_model, cost_report, count_training, count_view,
                          views_of)
from .mac_counter import PUBLISHED, Count, count_macs, sum_by_kind
from .training_memory import estimate_training_memory

__all__ = [
    'Count', 'PUBLISHED', 'build_model', 'cost_report', 'count_macs',
    'count_training', 'count_view', 'estimate_training_memory', 'sum_by_kind',
    'views_of'
]
