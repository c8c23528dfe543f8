"""The hidden attention of a mixer: the linear operator of its scans.

With step sizes, input and output weights computed from the data, a selective
scan is linear in the scanned content ``s``. Channel by channel,

    y[i] = g[i] * (sum_j alpha[i, j] * s[j] + D * s[i]),
    alpha[i, j] = sum_n C[i, n] * exp(A[n] * sum_k delta[k])
                  * delta[j] * B[j, n],

k from the token after j to i in the order of the scan, alpha[i, j] = 0 where
j follows i, and ``g = silu(z)`` the gate. Both directions, and both orders of
tokens, have an alpha each, and the sums are gated together.

The class token is token 0. The row alpha[0] costs as much as a scan: all
exponents are cumulative sums, and no (l, l) matrix is formed.

Source: Ali et al., arXiv:2403.01590, Eq. 8 to 12.
"""
from typing import Any, List, NamedTuple, Optional, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor

from mmvideomamba.models.layers.layerwise_scan import Direction, scan_inputs


class ClassRow(NamedTuple):
    """How the class token reads all tokens in a mixer.

    Attributes:
        weights (Tensor): ``g[0] * (alpha[0, j] + D * (j == 0))`` of each
            scan, float32 or float64, shape (scans, b, l, d), in stored order.
        content (Tensor): The scanned ``s`` of each scan, same shape. The sum
            of ``weights * content`` over scans and tokens is what the mixer
            projects out for the class token, (b, d).
    """
    weights: Tensor
    content: Tensor


def scan_row(delta: Tensor, A: Tensor, B: Tensor, C: Tensor,
             reverse: bool) -> Tensor:
    """Compute the weights of all tokens in the output of token 0.

    Args:
        delta (Tensor): Step sizes, positive, shape (b, l, d).
        A (Tensor): Negative decay rates, shape (d, n).
        B (Tensor): Input weights, shape (b, l, n).
        C (Tensor): Output weights, shape (b, l, n).
        reverse (bool): Whether the scan begins at the last token. Token 0 of
            the other scan has no token before.

    Returns:
        Tensor: alpha[0], shape (b, l, d), without skip and gate.
    """
    if not reverse:
        row = torch.zeros_like(delta)
        # (b, n) to (b, 1), for all channels.
        own = (C[:, 0] * B[:, 0]).sum(-1, keepdim=True)
        row[:, 0] = own * delta[:, 0]
        return row
    # The state of token j decays by the steps of the tokens 0 to j - 1.
    passed = delta.cumsum(dim=1) - delta
    row = torch.zeros_like(delta)
    for n in range(A.shape[1]):  # one state at a time, for the memory
        # (b, l, 1), for all channels.
        factor = (C[:, :1, n] * B[:, :, n]).unsqueeze(-1)
        row += factor * torch.exp(passed * A[:, n])
    return row * delta


def _row_of_scan(v: Tensor, direction: Direction,
                 backend: str) -> Tuple[Tensor, Tensor]:
    """Return the weights, skip included, and the content of one scan."""
    A, D = direction.A, direction.skip
    # Autocast would compute decays in half precision.
    given = scan_inputs(v, direction, backend)
    with torch.autocast(v.device.type, enabled=False):
        s, delta, B, C = (x.to(A.dtype) for x in given[:4])
        if given.delta_bias is not None:
            delta = delta + given.delta_bias
        row = scan_row(F.softplus(delta), A, B, C, direction.reverse)
        row[:, 0] += D
    return row, s


@torch.no_grad()
def class_row(mixer: Any,
              x: Tensor,
              order: Optional[Tensor] = None) -> ClassRow:
    """Compute how the class token reads all tokens in a mixer.

    Args:
        mixer (BiMambaMixer): The mixer; layers that are not plain, such as
            adapters, are called.
        x (Tensor): Tokens in stored order, class token first, shape (b, l,
            c).
        order (Tensor, optional): Temporal-first index, as the mixer gets.
            Defaults to None.

    Returns:
        ClassRow: Weights and content, in stored order.
    """
    v, z = mixer.in_proj(x).chunk(2, dim=-1)
    rows: List[Tensor] = []
    contents: List[Tensor] = []
    for end, moved in mixer.scans():
        index = None
        if moved:
            assert order is not None
            # (l, ) to (b, l, d), as gather needs.
            index = order.expand(v.shape[:2]).unsqueeze(-1).expand_as(v)
        row, s = _row_of_scan(
            v if index is None else v.gather(1, index), mixer.direction(end),
            mixer.backend)
        if index is not None:
            # Back to stored order, as relevance adds up token by token.
            row = torch.empty_like(row).scatter_(1, index, row)
            s = torch.empty_like(s).scatter_(1, index, s)
        rows.append(row)
        contents.append(s)
    gate = F.silu(z[:, :1].to(rows[0].dtype))
    return ClassRow(torch.stack(rows) * gate, torch.stack(contents))
