"""Selective scan for ``torch.export``: a loop over chunks inside the graph.

An exported graph is stored as a whole. The associative scan of
``traceable.py`` has more operators for more tokens, and its work tensors of
all tokens and states leave every CPU cache. Here, torch's own ``scan``
operator walks over chunks of tokens: the number of operators is constant,
and the states live for one chunk.
"""
import functools
import inspect
from typing import List, Tuple

import torch
import torch._higher_order_ops.scan  # noqa: F401, registers the operator
import torch.nn.functional as F
from torch import Tensor

# Tokens of a chunk. Tiny's states of 8 tokens in two directions are 400 kB,
# within an L2 cache.
CHUNK = 8


@functools.lru_cache()
def _known_operator() -> bool:
    operator = getattr(torch.ops.higher_order, 'scan', None)
    if operator is None:
        return False
    parameters = list(inspect.signature(operator.__call__).parameters)
    return parameters[:4] == ['combine_fn', 'init', 'xs', 'additional_inputs']


def can_loop() -> bool:
    """Tell whether an export can take the loop.

    Returns:
        bool: False for an export with ``strict=True``, whose tracer refuses
        the operator, and where torch has the operator in another form.
    """
    return not torch.compiler.is_dynamo_compiling() and _known_operator()


def softplus(x: Tensor) -> Tensor:
    """Compute ``log(1 + exp(x))`` of operators that runtimes vectorise.

    The Softplus of onnxruntime takes 3 times as long, number by number. The
    quotient undoes the rounding of ``1 + y``, so that steps of any size come
    out to single precision; steps below 6e-8 are 0.

    Args:
        x (Tensor): Any shape.

    Returns:
        Tensor: Shape of ``x``.
    """
    y = torch.exp(-x.abs())
    rounded = 1 + y
    lost = y / (rounded - 1).clamp_min(1e-30)
    return x.relu() + rounded.log() * lost


def _chunk(h: Tensor, delta: Tensor, x: Tensor, B: Tensor, C: Tensor,
           A: Tensor) -> List[Tensor]:
    """Advance the state by the tokens of a chunk.

    Products over samples and groups would store the batch size in the loop,
    where ONNX has no place for a size; hence the flat axes.

    Args:
        h (Tensor): State before the chunk, shape (1, b * g, n, p).
        delta (Tensor): Step sizes, shape (k, b * g, 1, p).
        x (Tensor): Step size times input, shape (k, b * g, 1, p).
        B (Tensor): Input weights, shape (k, b * g, n, 1).
        C (Tensor): Output weights, shape (k * b * g, 1, n).
        A (Tensor): Negative decay rates, shape (b * g or 1, n, p).

    Returns:
        list[Tensor]: State after the chunk, and output (k * b * g, 1, p).
    """
    decays = torch.exp(delta * A).split(1)
    states = []
    for a, x in zip(decays, (x * B).split(1)):
        h = a * h + x
        states.append(h)
    flat = torch.cat(states).view(-1, *h.shape[2:])
    return [h, torch.bmm(C, flat)]


def scan(u: Tensor, delta: Tensor, A: Tensor, B: Tensor,
         C: Tensor) -> Tuple[Tensor, Tensor]:
    """Compute ``y[l] = C[l] . h[l]`` by a loop that exports.

    Args:
        u (Tensor): Input in scan order, shape (b, l, g, p): channels in g
            groups of p.
        delta (Tensor): Positive step sizes, shape (b, l, g, p).
        A (Tensor): Negative decay rates, shape (g, p, n).
        B (Tensor): Input weights, shape (b, l, g, n).
        C (Tensor): Output weights, shape (b, l, g, n).

    Returns:
        tuple: Output (b, l, g, p), and the last state (b, g, p, n), detached.
    """
    b, l, g, p = u.shape
    n = A.shape[-1]
    k = min(CHUNK, l)
    rest = -l % k
    c = (l + rest) // k

    def chunks(t: Tensor) -> Tensor:
        # No step at the padded end: the state stays.
        t = F.pad(t, (0, 0, 0, 0, 0, rest)).transpose(0, 1)
        return t.reshape(c, k, b * g, -1)

    rates = A.transpose(1, 2).contiguous()
    if g > 1:
        rates = rates.repeat(b, 1, 1)
    h, y = torch.ops.higher_order.scan(_chunk, [u.new_zeros(1, b * g, n, p)], [
        chunks(delta).unsqueeze(-2),
        chunks(delta * u).unsqueeze(-2),
        chunks(B).unsqueeze(-1),
        chunks(C).reshape(c, k * b * g, 1, n)
    ], (rates, ))
    y = y.reshape(c * k, b, g, p)[:l].transpose(0, 1)
    return y, h.reshape(b, g, n, p).transpose(2, 3).detach()
