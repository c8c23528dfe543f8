"""``save_best`` against the figures of the evaluator."""
from typing import Any, Iterator, List, Optional, Tuple

from mmengine import registry as roots

from .types import find_type, nearest

# Models whose predictions are scores of classes, not dicts of scores.
_SINGLE = ('Recognizer2D', 'Recognizer3D', 'RecognizerGCN', 'ImageClassifier',
           'mmvideomamba.DistilledRecognizer3D',
           'mmvideomamba.DistilledClassifier')


def best_faults(cfg: Any, scope: str) -> List[str]:
    """List names of ``save_best`` unknown to the validation.

    Args:
        cfg (Config | dict): The config of a training with validation.
        scope (str): Default scope.

    Returns:
        list[str]: A sentence per name. Evaluators of other kinds than the
        classification metrics of the hosts and ours, and of retrieval, are
        not judged.
    """
    checkpoint = (cfg.get('default_hooks') or {}).get('checkpoint') or {}
    best = checkpoint.get('save_best')
    wanted = [best] if isinstance(best, str) else list(best or [])
    wanted = [name for name in wanted if name != 'auto']
    if not wanted or cfg.get('val_cfg') is None:
        return []
    given = _figures(cfg, scope)
    place = 'default_hooks.checkpoint.save_best'
    classes = _classes(cfg.get('model') or {})
    faults = []
    for name in wanted:
        last = name.rpartition('/')[2]
        k = last[len('top'):] if last.startswith('top') else ''
        if given is not None and name not in given:
            faults.append(f'{place}={name!r} is none of the figures of '
                          f'val_evaluator, {", ".join(given)}'
                          f'{nearest(name, given)}')
        elif k.isdigit() and classes and int(k) >= classes:
            faults.append(f'{place}={name!r} is 1 for any model of {classes} '
                          'classes; choose another figure, such as '
                          f'{name[:-len(k)]}1')
    return faults


def _classes(model: dict) -> Optional[int]:
    """Return the number of classes of a model's head, if any."""
    for key in ('cls_head', 'head'):
        head = model.get(key)
        if isinstance(head, dict) and isinstance(head.get('num_classes'), int):
            return head['num_classes']
    return None


def _figures(cfg: Any, scope: str) -> Optional[List[str]]:
    """Return the names of the evaluators' figures, None if unknown."""
    evaluators = cfg.get('val_evaluator')
    if isinstance(evaluators, dict):
        evaluators = [evaluators]
    val_cfg = cfg.get('val_cfg') or {}
    retrieval = val_cfg.get('type') == 'mmvideomamba.RetrievalValLoop'
    known = retrieval or (cfg.get('model') or {}).get('type') in _SINGLE
    if not known or not evaluators:
        return None
    # Without a judge there are the figures of the encoders alone.
    judged = val_cfg.get('topk') != 0
    names: List[str] = []
    for evaluator in evaluators:
        kind = find_type(roots.METRICS, evaluator.get('type'), scope)
        found = kind and list(_names(kind, evaluator, judged))
        if not found:
            return None
        prefix = evaluator.get('prefix') or getattr(kind, 'default_prefix', '')
        names += [f'{prefix}/{name}' if prefix else name for name in found]
    return names


def _numbers(value: Any) -> Tuple[int, ...]:
    return (value, ) if isinstance(value, int) else tuple(value)


def _names(kind: Any, cfg: dict, judged: bool) -> Iterator[str]:
    """Yield the names of a metric's figures, without prefix.

    Those of retrieval by the judge need a judge.
    """
    bases = [base.__name__ for base in getattr(kind, '__mro__', ())]
    if 'AccMetric' in bases:
        listed = cfg.get('metric_list',
                         ('top_k_accuracy', 'mean_class_accuracy'))
        options = (cfg.get('metric_options') or {}).get('top_k_accuracy') or {}
        for name in [listed] if isinstance(listed, str) else listed:
            if name == 'top_k_accuracy':
                for k in _numbers(options.get('topk', (1, 5))):
                    yield f'top{k}'
            else:
                yield 'mean1' if name == 'mean_class_accuracy' else name
    elif kind.__name__ == 'VideoTextRecall':
        ranks = [f'R@{k}' for k in cfg.get('topk', (1, 5, 10))]
        for end in ('', '_emb') if judged else ('_emb', ):
            yield f'mean_recall{end}'
            for way in ('t2v', 'v2t'):
                yield from (f'{way}{end}/{name}' for name in (*ranks, 'mR'))
    elif 'MSEMetric' in bases:
        yield 'mse'
    # Several thresholds give figures of longer names.
    elif kind.__name__ == 'Accuracy' and not isinstance(
            cfg.get('thrs', 0.), (list, tuple)):
        for k in _numbers(cfg.get('topk', (1, ))):
            yield f'top{k}'
