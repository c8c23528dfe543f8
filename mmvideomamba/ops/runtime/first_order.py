"""Refusal of second derivatives by ops with a backward pass of numbers."""
import functools
from typing import Any, Callable

import torch


def first_order(backward: Callable) -> Callable:
    """Let the backward pass of an autograd function refuse second derivatives.

    ``once_differentiable`` of torch raises only where a second backward pass
    enters the op. ``torch.autograd.grad`` and the Hessian of
    ``torch.autograd.functional`` go around, and leave out a term of the
    result without a word.

    Args:
        backward (Callable): ``backward(ctx, *gradients)``, in numbers.

    Returns:
        Callable: The same, with a RuntimeError under ``create_graph=True``.
    """

    @functools.wraps(backward)
    def checked(ctx: Any, *gradients: Any) -> Any:
        # Grad mode is on in a backward pass with create_graph=True alone.
        if torch.is_grad_enabled():
            raise RuntimeError(
                'this backend of mmvideomamba has no second derivatives '
                "(create_graph=True); compute inside use_backend('torch') of "
                'mmvideomamba.ops, or with torch.func, which differentiate '
                'twice')
        return backward(ctx, *gradients)

    return checked
