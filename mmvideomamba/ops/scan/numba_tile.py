"""Parts of the numba scan on a tile of ``STEP`` tokens, ``BLOCK`` channels.

The tile's first token in scan order is ``t0``; the tokens after follow at
the distance ``step``, 1 or -1. Functions with ``clamp`` bear any product of a
step and a rate; those without need products within ``BOUND``.
"""
import numpy as np

from ..runtime.numba_cache import compiled
from ..runtime.numba_math import INLINED, decay, exp2, softplus, softplus_slope
from ..runtime.numba_vectors import (WIDTH, fma, load, load_splat, splat,
                                     store, total, vabs, vmax)

# Tokens between two stored states.
STEP = 16
# Largest exponent of a decay without a clamp.
BOUND = np.float32(126.)

_f4 = np.float32
_LN2 = _f4(np.log(2.))


@compiled(**INLINED)
def steps(u, delta, bias, soft, reverse, b, i0, c0, c1, s, x):
    """Fill the steps s and inputs x of a tile; return the largest |step|."""
    l = u.shape[1]
    top = splat(_f4(0))
    for c in range(0, c1 - c0, WIDTH):
        shift = load(bias, (c0 + c, ))
        for j in range(min(STEP, l - i0)):
            t = l - 1 - i0 - j if reverse else i0 + j
            v = load(delta, (b, t, c0 + c)) + shift
            if soft:
                v = softplus(v)
            store(s, (j, c), v)
            store(x, (j, c), v * load(u, (b, t, c0 + c)))
            top = vmax(vabs(v), top)
    largest = np.empty(WIDTH, _f4)
    store(largest, (0, ), top)
    return largest.max()


@compiled(**INLINED)
def walk(A, B, C, kB, kC, s, x, h, out, b, t0, step, count, width, clamp):
    """Push the states h through a tile, and add their outputs to out."""
    for m in range(A.shape[0]):
        for c in range(0, width, WIDTH):
            rate, state = load(A, (m, c)), load(h, (m, c))
            for j in range(count):
                t = t0 + step * j
                sj = load(s, (j, c))
                a = exp2(sj * rate) if clamp else decay(sj, rate)
                x_B = load(x, (j, c)) * load_splat(B, (b, t, kB + m))
                state = fma(a, state, x_B)
                y = fma(state, load_splat(C, (b, t, kC + m)),
                        load(out, (j, c)))
                store(out, (j, c), y)
            store(h, (m, c), state)


@compiled(**INLINED)
def _recompute(rate, state, B, kB, s, x, a, h, b, t0, step, count, m, c,
               clamp):
    """Fill decays and states of 16 channels and a state in a tile.

    h[j] holds the state before token j of the tile.
    """
    for j in range(count):
        sj = load(s, (j, c))
        v = exp2(sj * rate) if clamp else decay(sj, rate)
        store(a, (j, 0), v)
        store(h, (j, 0), state)
        weight = load_splat(B, (b, t0 + step * j, kB + m))
        state = fma(v, state, load(x, (j, c)) * weight)
    store(h, (count, 0), state)


@compiled(**INLINED)
def pull(A, B, C, kB, kC, s, x, g, a, h, start, grad, gA, dB, dC, through_a,
         through_b, sums, b, t0, step, count, width, clamp):
    """Pull the outputs' gradient of a tile back through the states.

    On entry ``grad`` holds the later tokens' gradient of the state; on return,
    the gradient of the state before the tile.
    """
    for m in range(A.shape[0]):
        for c in range(0, width, WIDTH):
            rate, v, sum_a = (load(A, (m, c)), load(grad,
                                                    (m, c)), load(gA, (m, c)))
            _recompute(rate, load(start, (m, c)), B, kB, s, x, a, h, b, t0,
                       step, count, m, c, clamp)
            for j in range(count - 1, -1, -1):
                t = t0 + step * j
                gj = load(g, (j, c))
                v = fma(gj, load_splat(C, (b, t, kC + m)), v)
                part_c, part_b = gj * load(h, (j + 1, 0)), load(x, (j, c)) * v
                if c > 0:
                    part_c = part_c + load(sums, (0, j, 0))
                    part_b = part_b + load(sums, (1, j, 0))
                store(sums, (0, j, 0), part_c)
                store(sums, (1, j, 0), part_b)
                tb = load(through_b, (j, c))
                tb = fma(v, load_splat(B, (b, t, kB + m)), tb)
                store(through_b, (j, c), tb)
                v = v * load(a, (j, 0))
                p = v * load(h, (j, 0))
                store(through_a, (j, c), fma(p, rate, load(through_a, (j, c))))
                sum_a = fma(p, load(s, (j, c)), sum_a)
            store(grad, (m, c), v)
            store(gA, (m, c), sum_a)
        for j in range(count):
            dC[t0 + step * j, m] = total(load(sums, (0, j, 0)))
            dB[t0 + step * j, m] = total(load(sums, (1, j, 0)))


@compiled(**INLINED)
def input_grads(u, D, s, g, through_a, through_b, soft, du, ddelta, gD, gbias,
                b, t0, step, count, c0, width):
    """Write the gradients of inputs and steps of a tile."""
    for c in range(0, width, WIDTH):
        skip = load(D, (c0 + c, ))
        sum_d, sum_bias = load(gD, (c, )), load(gbias, (c, ))
        for j in range(count):
            k = (b, t0 + step * j, c0 + c)
            uj, sj, gj = load(u, k), load(s, (j, c)), load(g, (j, c))
            tb = load(through_b, (j, c))
            store(du, k, fma(sj, tb, gj * skip))
            # The rates carry a factor log2(e); remove the factor.
            v = fma(uj, tb, load(through_a, (j, c)) * splat(_LN2))
            if soft:
                v = v * softplus_slope(sj)
            store(ddelta, k, v)
            sum_bias = sum_bias + v
            sum_d = fma(gj, uj, sum_d)
        store(gD, (c, ), sum_d)
        store(gbias, (c, ), sum_bias)
