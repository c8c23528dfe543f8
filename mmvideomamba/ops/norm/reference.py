"""Residual addition and RMSNorm in plain torch: the definition."""
from typing import Optional, Tuple

import torch
from torch import Tensor


def add_rms_norm(x: Tensor, residual: Optional[Tensor], weight: Tensor,
                 eps: float) -> Tuple[Tensor, Tensor]:
    """Compute ``ops.add_rms_norm`` in torch."""
    stream = x.to(torch.promote_types(x.dtype, torch.float32))
    if residual is not None:
        stream = stream + residual
    scale = torch.rsqrt(stream.pow(2).mean(-1, keepdim=True) + eps)
    return (stream * scale * weight).to(x.dtype), stream
