"""Checks and means of scores."""
from typing import Sequence

import torch
from torch import Tensor

REDUCTIONS = ('mean', 'max')


def check_finite(scores: Tensor, name: str) -> Tensor:
    """Refuse scores without an order.

    Args:
        scores (Tensor): Any shape.
        name (str): Name of the scores in the error.

    Returns:
        Tensor: The same.

    Raises:
        ValueError: If a score is infinite or no number.
    """
    bad = int((~scores.isfinite()).sum())
    if bad:
        raise ValueError(
            f'{bad} of {scores.numel()} {name} are infinite or NaN: the model '
            'has diverged, or its weights are damaged; take an earlier '
            'checkpoint, or test in full precision')
    return scores


def class_scores(scores: Tensor,
                 sizes: Sequence[int],
                 reduction: str = 'mean') -> Tensor:
    """Score classes by the scores of their prompts.

    Args:
        scores (Tensor): Of n prompts, a class side by side, shape (..., n).
        sizes (Sequence[int]): Prompts of each of c classes; the sum is n.
        reduction (str): 'mean' or 'max' over the prompts of a class.
            Defaults to 'mean'.

    Returns:
        Tensor: Shape (..., c).
    """
    parts = scores.split(list(sizes), dim=-1)
    if reduction == 'max':
        return torch.stack([part.amax(-1) for part in parts], -1)
    return torch.stack([part.mean(-1) for part in parts], -1)
