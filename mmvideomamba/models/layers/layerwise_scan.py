"""A mixer's scan as the composition of its layers."""
from typing import Any, NamedTuple, Optional, Sequence, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn

from mmvideomamba.ops import (ScanParams, being_traced, causal_conv1d,
                              selective_scan)
from mmvideomamba.ops.runtime.host import being_exported
from .plain_layer import is_plain, is_plain_conv, is_untouched

# torch.fx cannot follow branches inside functions: calls are recorded.
for _name in ('selective_scan', '_expect', '_in_state_dtype'):
    fx.wrap(_name)

# x_proj must have no bias and dt_proj must have a bias, or no op can stand in;
# a layer without an entry may have or lack a bias.
_BIASES = dict(x_proj=False, dt_proj=True)


def _is_causal(conv: nn.Module) -> bool:
    """Tell whether the weights of a short convolution say all."""
    # Straight from the dictionary: this runs for every layer in every call.
    own: Any = conv.__dict__
    return type(conv) is nn.Conv1d and is_plain_conv(
        conv, nn.Conv1d, (1, ),
        (own['kernel_size'][0] - 1, ), own['out_channels'])


def is_plain_part(name: str, layer: nn.Module) -> bool:
    """Tell whether an op may take the weights of a mixer's layer.

    Args:
        name (str): Name in the mixer: the name tells the op's computation.
        layer (nn.Module): The layer.

    Returns:
        bool: False if the layer has to be called.
    """
    if name.startswith('conv1d'):
        return _is_causal(layer)
    bias = _BIASES.get(name[:-2] if name.endswith('_b') else name)
    return is_plain(layer, nn.Linear, bias)


class Direction(NamedTuple):
    """Layers and weights of a mixer's scan direction.

    Attributes:
        conv1d (nn.Module): Short convolution, (b, d, l) to (b, d, l + k - 1)
            with zeros around; the first l count.
        x_proj (nn.Module): Makes step rank, B and C, (..., d) to
            (..., r + 2 * n).
        dt_proj (nn.Module): Makes the steps, (..., r) to (..., d).
        A_log (Tensor): Logarithm of the decay rates, shape (d, n).
        D (Tensor): Skip weight, shape (d, ).
        dt_rank (int): Rank r.
        d_state (int): States n.
        reverse (bool): Whether the scan begins at the last token.
    """
    conv1d: Any
    x_proj: Any
    dt_proj: Any
    A_log: Tensor
    D: Tensor
    dt_rank: int
    d_state: int
    reverse: bool

    def is_plain(self) -> bool:
        """Tell whether an op may take the weights of all layers."""
        return (_is_causal(self.conv1d)
                and is_plain(self.x_proj, nn.Linear, _BIASES['x_proj'])
                and is_plain(self.dt_proj, nn.Linear, _BIASES['dt_proj']))

    @property
    def A(self) -> Tensor:
        """Negative decay rates, shape (d, n), in the state's dtype."""
        return -torch.exp(_in_state_dtype(self.A_log))

    @property
    def skip(self) -> Tensor:
        """Skip weight D, shape (d, ), in the state's dtype."""
        return _in_state_dtype(self.D)

    def params(self) -> ScanParams:
        """Collect the weights for an op in the place of plain layers.

        The op gets ``A_log`` itself, with ``log_rates=True``.
        """
        return ScanParams(self.conv1d.weight, self.conv1d.bias,
                          self.x_proj.weight, self.dt_proj.weight,
                          _in_state_dtype(self.dt_proj.bias),
                          _in_state_dtype(self.A_log), self.skip)


def _in_state_dtype(weight: Tensor) -> Tensor:
    """Cast for a scan: a half-precision model has a float32 state."""
    return weight.to(torch.promote_types(weight.dtype, torch.float32))


def _expect(layer: str, y: Tensor, like: Tensor, channels: int) -> Tensor:
    """Check a layer's output (b, l, channels) for tokens (b, l, ...)."""
    shape = (*like.shape[:2], channels)
    if y.shape != shape:
        raise ValueError(
            f'the layer in the place of {layer} must return the shape {shape},'
            f' but returned {tuple(y.shape)}')
    return y


def _convolved(v: Tensor, direction: Direction, backend: str) -> Tensor:
    """Convolve (b, l, d) and apply SiLU."""
    conv, reverse = direction.conv1d, direction.reverse
    if _is_causal(conv) and not being_traced(v):
        return causal_conv1d(v, conv.weight, conv.bias, 'silu', reverse,
                             backend)
    x = v.transpose(1, 2)  # (b, d, l)
    y = conv(x.flip(-1) if reverse else x)[..., :x.shape[-1]]
    y = (y.flip(-1) if reverse else y).transpose(1, 2)
    return F.silu(_expect('conv1d', y, v, v.shape[2]))


def _steps(rank: Tensor,
           direction: Direction) -> Tuple[Tensor, Optional[Tensor]]:
    """Project (b, l, r) to step sizes (b, l, d), and a bias still to add."""
    layer = direction.dt_proj
    if is_plain_part('dt_proj', layer) and not being_traced(rank):
        # The scan adds the bias in float32.
        return F.linear(rank, layer.weight), _in_state_dtype(layer.bias)
    return layer(rank), None


class ScanInputs(NamedTuple):
    """Arguments of ``ops.selective_scan`` for a direction of a mixer.

    Attributes:
        u (Tensor): Convolved content, shape (b, l, d).
        delta (Tensor): Step sizes before softplus, shape (b, l, d).
        B (Tensor): Input weights, shape (b, l, n).
        C (Tensor): Output weights, shape (b, l, n).
        delta_bias (Tensor, optional): Still to add to the steps, shape
            (d, ).
    """
    u: Tensor
    delta: Tensor
    B: Tensor
    C: Tensor
    delta_bias: Optional[Tensor]


def scan_inputs(v: Tensor,
                direction: Direction,
                backend: str = 'auto') -> ScanInputs:
    """Compute the scan inputs of a mixer's direction, layer by layer.

    Args:
        v (Tensor): Content, shape (b, l, d).
        direction (Direction): Layers and weights.
        backend (str): Backend of the ops. Defaults to 'auto'.

    Returns:
        ScanInputs: Content and coefficients of the scan.

    Raises:
        ValueError: If a layer returns another shape than the one in whose
            place it is.
    """
    s = _convolved(v, direction, backend)
    r, n = direction.dt_rank, direction.d_state
    each = _expect('x_proj', direction.x_proj(s), s, r + 2 * n)
    rank, B, C = each.split([r, n, n], dim=-1)
    delta, bias = _steps(rank, direction)
    delta = _expect('dt_proj', delta, s, s.shape[2])
    return ScanInputs(s, delta, B, C, bias)


def _share_a_scan(directions: Sequence[Direction]) -> bool:
    """Tell whether an export may scan two directions as two groups.

    The layers then see the tokens of a reverse direction reversed: a hook on a
    layer would read wrong positions, so hooks rule the shared scan out.
    """
    if len(directions) != 2 or not being_exported():
        return False
    first, second = directions
    # ``is_plain`` would always fail: the weights are fake tensors by now.
    return first.d_state == second.d_state and all(
        is_untouched(layer, kind) for direction in directions
        for layer, kind in ((direction.conv1d, nn.Conv1d),
                            (direction.x_proj, nn.Linear),
                            (direction.dt_proj, nn.Linear)))


def _shared_scan(v: Tensor, directions: Sequence[Direction],
                 backend: str) -> Tensor:
    """Scan in two directions at once, as two groups of channels.

    A runtime of exported graphs spends much of a scan on starting small
    operators, and an export takes longer with more operators.

    Args:
        v (Tensor): Content, shape (b, l, d).
        directions (Sequence[Direction]): Two, with untouched layers.
        backend (str): Backend of the ops.

    Returns:
        Tensor: Sum, shape (b, l, d).
    """
    # A scan has one direction: the backward group reads reversed tokens, and
    # the output is reversed back.
    parts = [
        scan_inputs(
            v.flip(1) if direction.reverse else v,
            direction._replace(reverse=False), backend)
        for direction in directions
    ]
    # Under a tracer the steps hold the biases already, see ``_steps``.
    u = torch.cat([part.u for part in parts], -1)  # (b, l, 2 * d)
    delta = torch.cat([part.delta for part in parts], -1)
    B = torch.stack([part.B for part in parts], 2)  # (b, l, 2, n)
    C = torch.stack([part.C for part in parts], 2)
    A = torch.cat([direction.A for direction in directions])  # (2 * d, n)
    D = torch.cat([direction.skip for direction in directions])
    y: Any = selective_scan(u, delta, A, B, C, D, None, None, True, False,
                            backend)
    first, second = (each.flip(1) if direction.reverse else each
                     for each, direction in zip(y.chunk(2, -1), directions))
    return first + second


def layerwise_scan(xz: Tensor,
                   directions: Sequence[Direction],
                   backend: str = 'auto') -> Tensor:
    """Compute ``ops.bidirectional_selective_scan`` layer by layer.

    Layers that are not plain are called, with hooks and adapters.

    Args:
        xz (Tensor): Content and gate, shape (b, l, 2 * d).
        directions (Sequence[Direction]): The directions to sum, 1 or 2.
        backend (str): Backend of the ops. Defaults to 'auto'.

    Returns:
        Tensor: Gated sum, shape (b, l, d).

    Raises:
        ValueError: If a layer returns another shape than the one in whose
            place it is.
    """
    v, z = xz.chunk(2, dim=-1)  # (b, l, d) each
    if _share_a_scan(directions):
        return _shared_scan(v, directions, backend) * F.silu(z)
    total: Any = None
    for direction in directions:
        s, delta, B, C, bias = scan_inputs(v, direction, backend)
        y: Any = selective_scan(s, delta, direction.A, B, C, direction.skip,
                                None, bias, True, direction.reverse, backend)
        total = y if total is None else total + y
    # Both directions have the same gate: one product for the sum.
    return total * F.silu(z)
