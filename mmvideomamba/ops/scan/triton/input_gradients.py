"""Gradients of a token's input and step size, shared by backward kernels."""
import triton
import triton.language as tl

from ...runtime.triton_warp import LN2, LOG2E


@triton.jit
def _softplus_slope(s):
    """Return the slope of softplus at the point where its value is s.

    The sigmoid of the argument, ``1 - exp(-s)``; a series replaces the
    difference below s = 0.06, where the difference would cancel.
    """
    small = s * (1. - s * (0.5 - s * (1. / 6. - s / 24.)))
    return tl.where(s < 0.06, small, 1. - tl.exp2(-s * LOG2E))


@triton.jit
def input_gradients(u, s, dy, skip, through_b, through_a,
                    SOFTPLUS: tl.constexpr):
    """Return a token's gradients of u and delta.

    ``through_b`` and ``through_a`` are sums over states of ``g B`` and
    ``g a h A``, with g the gradient of the state, a the decay, and rates A
    scaled for ``exp2``. With SOFTPLUS, the gradient of delta is taken before
    the softplus.
    """
    du = s * through_b + dy * skip
    # The rates carry a factor log2(e); remove the factor.
    ddelta = u * through_b + through_a * LN2
    if SOFTPLUS:
        ddelta *= _softplus_slope(s)
    return du, ddelta
