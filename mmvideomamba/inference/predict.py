"""Scores of packed samples, a bounded number of views at a time."""
from typing import Any, List, Sequence

import torch
from mmengine.dataset import pseudo_collate
from torch import nn

VIEWS_AT_ONCE = 4


def is_ours(model: Any) -> bool:
    """Tell whether a recognizer or classifier runs on our backbone.

    Args:
        model (nn.Module): Any model.

    Returns:
        bool: True with a module of this package in ``model.backbone``.
    """
    backbone = getattr(model, 'backbone', None)
    return isinstance(backbone, nn.Module) and any(
        type(module).__module__.startswith('mmvideomamba.')
        for module in backbone.modules())


def views_at_once(model: Any) -> int:
    """Return how many views go through a model together.

    Args:
        model (nn.Module): A recognizer.

    Returns:
        int: ``max_testing_views`` of the model's ``test_cfg``, the host's
        key, else 4.
    """
    test_cfg = getattr(model, 'test_cfg', None) or {}
    return int(test_cfg.get('max_testing_views') or VIEWS_AT_ONCE)


@torch.no_grad()
def predict(model: Any, samples: Sequence[dict]) -> List[Any]:
    """Score packed samples.

    Samples of few views go through the model as one batch. The views of
    larger ones are normalized and scored in parts; the memory is then that of
    ``views_at_once`` views, whatever the number of views is.

    Args:
        model (nn.Module): A recognizer in the mode of evaluation.
        samples (Sequence[dict]): Of ``VideoPipeline``.

    Returns:
        list[ActionDataSample]: With ``pred_score``, and ``pred_label`` of a
        classifier.
    """
    limit = views_at_once(model)
    counts = {len(sample['inputs']) for sample in samples}
    # Samples of unequal numbers of views cannot be stacked.
    if len(counts) == 1 and max(counts) <= limit:
        return model.test_step(pseudo_collate(list(samples)))
    return [_predict_parts(model, sample, limit) for sample in samples]


def _predict_parts(model: Any, sample: dict, limit: int) -> Any:
    """Score a sample, its views in parts."""
    parts = []
    for views in sample['inputs'].split(limit):
        data = model.data_preprocessor(
            dict(inputs=[views], data_samples=[sample['data_samples']]), False)
        features, extra = model.extract_feat(data['inputs'], test_mode=True)
        parts.append(model.cls_head(features, **extra))
    # All views first, as the head averages over the views of a video.
    scores = torch.cat(parts)
    return model.cls_head.predict_by_feat(scores, data['data_samples'])[0]
