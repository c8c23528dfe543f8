"""Top-k figures, with k below the number of classes."""
from typing import Any, Optional, Tuple

from mmengine.config import Config

_COUNTED = ('AccMetric', 'mmaction.AccMetric', 'mmvideomamba.WindowAccMetric')
_ACCURACY = ('Accuracy', 'mmpretrain.Accuracy')
# Of the host's AccMetric.
_DEFAULT = (1, 5)


def _classes(cfg: Config) -> Optional[int]:
    """Return the number of classes of a model's head, None if unknown."""
    model = cfg.get('model') or {}
    model = model.get('module') or model  # of test-time augmentation
    head = model.get('cls_head') or model.get('head')
    count = head.get('num_classes') if isinstance(head, dict) else None
    return count if isinstance(count, int) else None


def _below(topk: Any, count: int) -> Any:
    """Return the k below a number of classes, 1 at least; or all as is."""
    numbers: Tuple[int,
                   ...] = (topk, ) if isinstance(topk, int) else tuple(topk)
    kept = tuple(k for k in numbers if k < count) or (1, )
    return topk if kept == numbers else kept


def limit_topk(cfg: Config) -> None:
    """Leave out top-k accuracies with k of all classes or more: always 1.

    Args:
        cfg (Config): The config, changed in place: evaluators of validation
            and test, and the head of a classifier.
    """
    count = _classes(cfg)
    if count is None:
        return
    head = (cfg.model.get('module') or cfg.model).get('head')
    if isinstance(head, dict) and 'topk' in head:
        head['topk'] = _below(head['topk'], count)
    for key in ('val_evaluator', 'test_evaluator'):
        found = cfg.get(key) or []
        for metric in [found] if isinstance(found, dict) else found:
            _limit_metric(metric, count)


def _limit_metric(metric: Any, count: int) -> None:
    """Limit a metric, in place."""
    kind = metric.get('type') if isinstance(metric, dict) else None
    if kind in _ACCURACY and 'topk' in metric:
        metric.topk = _below(metric.topk, count)
    if kind not in _COUNTED:
        return
    listed = metric.get('metric_list', 'top_k_accuracy')
    options = metric.get('metric_options') or {}
    own = options.get('top_k_accuracy') or {}
    topk = own.get('topk', _DEFAULT)
    if 'top_k_accuracy' in listed and _below(topk, count) != topk:
        metric.metric_options = {
            **options, 'top_k_accuracy': {
                **own, 'topk': _below(topk, count)
            }
        }
