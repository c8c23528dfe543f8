"""Class scores of packed samples, with gradients."""
from typing import Any, List, Sequence, Union

import torch
from mmaction.models import BaseRecognizer
from mmaction.structures import ActionDataSample
from mmpretrain.models import ImageClassifier
from torch import Tensor

Label = Union[int, Sequence[int], None]


def normalised(model: Any, inputs: Tensor) -> Tensor:
    """Normalise pixels as a test of the model does.

    Args:
        model (nn.Module): A model for ``class_scores``.
        inputs (Tensor): Views (m, 3, t, h, w), or images (m, 3, h, w), as a
            test pipeline packs samples.

    Returns:
        Tensor: Same shape, floats, on the device of the model. Inputs of a
        model without a data preprocessor must be normalised already.
    """
    if isinstance(model, BaseRecognizer):
        data = dict(inputs=[inputs], data_samples=[ActionDataSample()])
        # (1, m, 3, t, h, w) to (m, 3, t, h, w).
        return model.data_preprocessor(data, False)['inputs'].flatten(0, 1)
    if isinstance(model, ImageClassifier):
        return model.data_preprocessor(dict(inputs=inputs), False)['inputs']
    return inputs.to(next(model.parameters()).device)


def gives_scores(model: Any) -> bool:
    """Tell whether a model of a host scores classes.

    Args:
        model (nn.Module): A model.

    Returns:
        bool: True for a recognizer or an image classifier with a head.
    """
    if isinstance(model, BaseRecognizer):
        return bool(model.with_cls_head)
    return isinstance(model, ImageClassifier) and bool(model.with_head)


def no_scores(model: Any) -> str:
    """Say that a model gives no scores of classes.

    Args:
        model (nn.Module): The model.

    Returns:
        str: Fault and remedy.
    """
    return (f'{type(model).__name__} gives no scores of classes to explain; '
            'give a recognizer or an image classifier with a head')


def class_scores(model: Any, x: Tensor) -> Tensor:
    """Score views or images, each by itself.

    Args:
        model (nn.Module): A recognizer, an image classifier, or a module
            whose call returns scores.
        x (Tensor): Normalised pixels, the first axis m.

    Returns:
        Tensor: Scores before softmax, shape (m, k).

    Raises:
        ValueError: If the model gives no scores of classes.
    """
    if hasattr(model, 'data_preprocessor') and not gives_scores(model):
        scores = None
    elif isinstance(model, BaseRecognizer):
        # (m, c, t, h, w) to (m, 1, c, t, h, w): a view by itself is a video.
        scores = model.extract_feat(x.unsqueeze(1), stage='head')[0]
    else:
        scores = model(x)
    if not isinstance(scores, Tensor) or scores.shape[:-1] != x.shape[:1]:
        raise ValueError(no_scores(model))
    return scores


def _mean_probabilities(model: Any, scores: Tensor) -> Tensor:
    """Average the views (m, k) of a video, as the head does, to (k, )."""
    head: Any = getattr(model, 'cls_head', None)
    if getattr(head, 'average_clips', None) in ('prob', 'score'):
        return head.average_clip(scores, num_segs=len(scores))[0]
    return scores.softmax(dim=-1).mean(dim=0)


def best_labels(model: Any, scores: Tensor, clips: bool) -> List[int]:
    """Choose the most probable class for each view or image.

    Args:
        model (nn.Module): The model.
        scores (Tensor): Of ``class_scores``, shape (m, k).
        clips (bool): Whether the model takes clips, views of one video: the
            mean of all views decides; else each image by itself.

    Returns:
        list[int]: A class for each.
    """
    scores = scores.detach().float()
    if not clips:
        return scores.argmax(dim=-1).tolist()
    return [int(_mean_probabilities(model, scores).argmax())] * len(scores)


def given_labels(label: Union[int, Sequence[int]], m: int) -> List[int]:
    """Spread given labels over views or images.

    Args:
        label (int | Sequence[int]): The class of all, or of each.
        m (int): Number of inputs.

    Returns:
        list[int]: A class for each.

    Raises:
        ValueError: If the number of labels differs.
    """
    labels = [label] * m if isinstance(label, int) else list(label)
    if len(labels) != m:
        raise ValueError(f'{len(labels)} labels are given for {m} inputs; '
                         'give one, or one for each')
    return [int(x) for x in labels]


def check_labels(labels: Sequence[int], k: int) -> None:
    """Refuse labels that are not classes of a model.

    Args:
        labels (Sequence[int]): A class for each input.
        k (int): Classes of the model.

    Raises:
        ValueError: If a label is not a class of the model.
    """
    wrong = [x for x in labels if not 0 <= x < k]
    if wrong:
        raise ValueError(f'the label {wrong[0]} is not a class of the model, '
                         f'which has {k}: 0 to {k - 1}')


def score_of(scores: Tensor, labels: List[int]) -> Tensor:
    """Sum the scores of the labels, whose gradient explains all inputs.

    Args:
        scores (Tensor): Shape (m, k); no row depends on another input.
        labels (list[int]): A class for each row.

    Returns:
        Tensor: A scalar.
    """
    index = torch.tensor(labels, device=scores.device).unsqueeze(-1)
    return scores.gather(-1, index).sum()
