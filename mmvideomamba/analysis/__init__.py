"""Cost of a model: multiply-accumulates by part and kind, and memory.

Imported at their first use, since the count of multiply-accumulates needs a
host and the memory does not.
"""
from mmvideomamba.late_names import late_names

_PLACES = dict(
    Count='mac_counter',
    PUBLISHED='mac_counter',
    build_model='cost_report',
    cost_report='cost_report',
    count_macs='mac_counter',
    count_training='cost_report',
    count_view='cost_report',
    estimate_training_memory='training_memory',
    sum_by_kind='mac_counter',
    views_of='cost_report',
)

__all__ = [*_PLACES]

__getattr__, __dir__ = late_names(__name__, _PLACES)
