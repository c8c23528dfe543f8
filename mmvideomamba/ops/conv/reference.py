"""Causal convolution in plain torch: the definition of the op."""
from typing import Optional

import torch
import torch.nn.functional as F
from torch import Tensor


def causal_conv1d(x: Tensor, weight: Tensor, bias: Optional[Tensor],
                  activation: Optional[str], reverse: bool) -> Tensor:
    """Compute ``ops.causal_conv1d`` as a sum of shifted products."""
    l, k = x.shape[1], weight.shape[1]
    # float32 products, as in the kernels; float64 stays float64.
    dtype = torch.promote_types(x.dtype, torch.float32)
    weight = weight.to(dtype)
    pad = (0, 0, 0, k - 1) if reverse else (0, 0, k - 1, 0)
    padded = F.pad(x.to(dtype), pad)
    y = x.new_zeros((), dtype=dtype) if bias is None else bias.to(dtype)
    for j in range(k):
        tap = weight[:, k - 1 - j] if reverse else weight[:, j]
        y = torch.addcmul(y, padded[:, j:j + l], tap)
    return (F.silu(y) if activation == 'silu' else y).to(x.dtype)
