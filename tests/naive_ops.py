"""The ops by the formulas, one token after the other."""
from typing import Optional, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor

from mmvideomamba.ops import ScanParams


def naive_scan(u: Tensor,
               delta: Tensor,
               A: Tensor,
               B: Tensor,
               C: Tensor,
               D: Optional[Tensor] = None,
               z: Optional[Tensor] = None,
               delta_bias: Optional[Tensor] = None,
               delta_softplus: bool = False,
               reverse: bool = False) -> Tuple[Tensor, Tensor]:
    """Scan with a Python loop; shapes as in ``ops.selective_scan``.

    Returns:
        tuple: Output (b, l, d) and last state (b, d, n).
    """
    b, l, d = u.shape

    def weights(x: Tensor) -> Tensor:
        """Return the weights of all tokens and channels, (b, l, d, n)."""
        if x.dim() == 2:
            return x.expand(b, l, -1, -1)
        x = x if x.dim() == 4 else x[:, :, None]
        return x.repeat_interleave(d // x.shape[2], 2)

    step = delta if delta_bias is None else delta + delta_bias
    if delta_softplus:
        # Linear above 20, as published.
        soft = torch.log(1 + torch.exp(step.clamp(max=20)))
        step = torch.where(step > 20, step, soft)
    decay = torch.exp(step[..., None] * A).unbind(1)
    new = ((step * u)[..., None] * weights(B)).unbind(1)
    state = u.new_zeros(b, d, A.shape[1])
    states = [state] * l
    for i in range(l):
        t = l - 1 - i if reverse else i
        state = decay[t] * state + new[t]
        states[t] = state
    y = (torch.stack(states, 1) * weights(C)).sum(-1)
    if D is not None:
        y = y + D * u
    if z is not None:
        y = y * z * torch.sigmoid(z)
    return y, state


def naive_conv(x: Tensor,
               weight: Tensor,
               bias: Optional[Tensor],
               silu: bool = True,
               reverse: bool = False) -> Tensor:
    """Convolve token by token; weight (d, k), x and result (b, l, d)."""
    l, k = x.shape[1], weight.shape[-1]
    outs = []
    for t in range(l):
        y = torch.zeros_like(x[:, 0])
        if bias is not None:
            y = y + bias
        for j in range(k):
            s = t + (k - 1 - j) * (1 if reverse else -1)
            if 0 <= s < l:
                y = y + weight[:, j] * x[:, s]
        outs.append(y * torch.sigmoid(y) if silu else y)
    return torch.stack(outs, 1)


def naive_bidirectional(xz: Tensor, forward: Optional[ScanParams],
                        backward: Optional[ScanParams]) -> Tensor:
    """Compute all steps between a mixer's projections, by flipping tokens."""
    v, z = xz.chunk(2, -1)
    total = torch.zeros_like(v)
    for p, flip in ((forward, False), (backward, True)):
        if p is None:
            continue
        x = v.flip(1) if flip else v
        s = naive_conv(x, p.conv_weight[:, 0], p.conv_bias)
        n, r = p.A.shape[1], p.dt_proj_weight.shape[1]
        rank, B, C = F.linear(s, p.x_proj_weight).split([r, n, n], -1)
        y, _ = naive_scan(
            s,
            rank @ p.dt_proj_weight.T,
            p.A,
            B,
            C,
            p.D,
            delta_bias=p.dt_proj_bias,
            delta_softplus=True)
        total = total + (y.flip(1) if flip else y)
    return total * z * torch.sigmoid(z)
