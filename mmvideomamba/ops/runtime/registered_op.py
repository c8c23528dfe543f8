"""Operators known to torch, so that compilers and dispatch modes see them."""
from typing import Any, Callable

import torch
from torch.library import infer_schema

_NAMESPACE = 'mmvideomamba'


def registered_op(name: str,
                  last: bool = False) -> Callable[[Callable], Callable]:
    """Register a function of tensors as an operator of torch.

    ``torch.library.custom_op`` registers in the same way, but compares the
    memory of all inputs and outputs in every call, and a compiled Tiny calls
    operators 192 times a step. A registered function must not return an
    input, nor two tensors that share memory.

    Args:
        name (str): Name in the namespace of the package.
        last (bool): Whether the operator refuses to be differentiated, as a
            backward pass does. Defaults to False: ``differentiable`` follows.

    Returns:
        Callable: Decorator that replaces a function, with full type hints, by
        the operator.
    """

    def register(function: Callable) -> Callable:
        place = f'{_NAMESPACE}::{name}'
        torch.library.define(place, infer_schema(function, mutates_args=()))
        torch.library.impl(place, 'default', function)
        if last:
            differentiable(name, _no_formula(name), _keep_nothing)
        return getattr(getattr(torch.ops, _NAMESPACE), name).default

    return register


def fake_of(name: str) -> Callable[[Callable], Callable]:
    """Register the shapes and dtypes of an operator's outputs.

    Args:
        name (str): Name given to ``registered_op``.

    Returns:
        Callable: Decorator of a function with the operator's arguments.
    """
    return torch.library.register_fake(f'{_NAMESPACE}::{name}')


def differentiable(name: str, backward: Callable, setup: Callable) -> None:
    """Register the gradients of an operator.

    Args:
        name (str): Name given to ``registered_op``.
        backward (Callable): Maps a context and the gradients of all outputs
            to the gradients of all inputs.
        setup (Callable): ``setup(ctx, inputs, output)`` fills the context.
    """
    torch.library.register_autograd(
        f'{_NAMESPACE}::{name}', backward, setup_context=setup)


def _keep_nothing(ctx: Any, inputs: tuple, output: Any) -> None:
    """Leave the context empty."""


def _no_formula(name: str) -> Callable:
    """Return the backward pass of an operator without gradients."""

    def backward(ctx: Any, *_: Any) -> None:
        raise RuntimeError(
            f'{_NAMESPACE}::{name} has no gradients: the kernels are '
            "differentiated once; backend='torch' has derivatives of any "
            'order')

    return backward
