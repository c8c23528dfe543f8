"""Causal convolution in plain torch: the definition of the op."""
from typing import Optional

import torch
import torch.nn.functional as F
from torch import Tensor


def causal_conv1d(x: Tensor,
                  weight: Tensor,
                  bias: Optional[Tensor],
                  activation: Optional[str],
                  reverse: bool,
                  seq_idx: Optional[Tensor] = None) -> Tensor:
    """Compute ``ops.causal_conv1d`` as a sum of shifted products."""
    l, k = x.shape[1], weight.shape[1]
    # float32 products, as in the kernels; float64 stays float64.
    dtype = torch.promote_types(x.dtype, torch.float32)
    weight = weight.to(dtype)
    pad = (0, k - 1) if reverse else (k - 1, 0)
    padded = F.pad(x.to(dtype), (0, 0, *pad))
    y = x.new_zeros((), dtype=dtype) if bias is None else bias.to(dtype)
    for j in range(k):
        tap = weight[:, k - 1 - j] if reverse else weight[:, j]
        near = padded[:, j:j + l]
        if seq_idx is not None:
            other = F.pad(seq_idx, pad, value=-1)[:, j:j + l] != seq_idx
            near = near.masked_fill(other.unsqueeze(-1), 0)
        y = torch.addcmul(y, near, tap)
    if seq_idx is not None:
        y = y.masked_fill((seq_idx < 0).unsqueeze(-1), 0)
    return (F.silu(y) if activation == 'silu' else y).to(x.dtype)
