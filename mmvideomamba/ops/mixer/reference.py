"""The mixer's ops as compositions of one-directional ops: the definition."""
from typing import Any, Optional

import torch.nn.functional as F
from torch import Tensor

from ..conv.api import causal_conv1d
from ..scan.api import selective_scan
from .api import ScanParams


def bidirectional_selective_scan(xz: Tensor, forward: Optional[ScanParams],
                                 backward: Optional[ScanParams],
                                 backend: str) -> Tensor:
    """Compose ``ops.bidirectional_selective_scan`` from a backend's ops."""
    v, z = xz.chunk(2, dim=-1)
    y: Any = None
    for params, reverse in ((forward, False), (backward, True)):
        if params is None:
            continue
        r, n = params.dt_proj_weight.shape[1], params.A.shape[1]
        s = causal_conv1d(v, params.conv_weight, params.conv_bias, 'silu',
                          reverse, backend)
        rank, B, C = F.linear(s, params.x_proj_weight).split([r, n, n], -1)
        delta = F.linear(rank, params.dt_proj_weight)
        out = selective_scan(s, delta, params.A, B, C, params.D, None,
                             params.dt_proj_bias, True, reverse, backend)
        y = out if y is None else y + out
    return y * F.silu(z)


def bidirectional_mixer(x: Tensor, in_weight: Tensor, out_weight: Tensor,
                        forward: Optional[ScanParams],
                        backward: Optional[ScanParams],
                        in_bias: Optional[Tensor], out_bias: Optional[Tensor],
                        backend: str) -> Tensor:
    """Compose ``ops.bidirectional_mixer`` from projections and scans."""
    xz = F.linear(x, in_weight, in_bias)
    y = bidirectional_selective_scan(xz, forward, backward, backend)
    return F.linear(y, out_weight, out_bias)
