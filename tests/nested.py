"""Comparison of nested containers, such as checkpoints."""
from typing import Any, List

import torch


def differences(one: Any, other: Any, place: str) -> List[str]:
    """List the differences of two nested containers, tensors bit by bit.

    Args:
        one (Any): Dicts, lists, tensors and plain values.
        other (Any): The same.
        place (str): Name of both.

    Returns:
        list[str]: Dotted names.
    """
    if isinstance(one, torch.Tensor):
        same = isinstance(other, torch.Tensor) and torch.equal(one, other)
        return [] if same else [place]
    if isinstance(one, dict):
        if not isinstance(other, dict) or one.keys() != other.keys():
            return [place]
        return [
            x for key in one
            for x in differences(one[key], other[key], f'{place}.{key}')
        ]
    if isinstance(one, (list, tuple)):
        if len(one) != len(other):
            return [place]
        return [
            x for i, (a, b) in enumerate(zip(one, other))
            for x in differences(a, b, f'{place}.{i}')
        ]
    return [] if one == other else [place]
