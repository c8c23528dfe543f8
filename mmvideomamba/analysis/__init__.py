"""Cost of a model: multiply-accumulates by part and kind."""
from .cost_report import (build_model, cost_report, count_training, count_view,
                          views_of)
from .mac_counter import PUBLISHED, Count, count_macs, sum_by_kind

__all__ = [
    'Count', 'PUBLISHED', 'build_model', 'cost_report', 'count_macs',
    'count_training', 'count_view', 'sum_by_kind', 'views_of'
]
