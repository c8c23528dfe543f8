"""The bidirectional selective-scan mixer."""
import math
from typing import List, Optional, Sequence, Tuple, Union

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmvideomamba.ops import (ScanParams, being_traced, bidirectional_mixer,
                              bidirectional_selective_scan)
from .layerwise_scan import Direction, is_plain_part, layerwise_scan
from .plain_layer import is_plain, is_untouched, tell_called
from .scan_order import MIXER_ORDERS

_BothParams = Tuple[Optional[ScanParams], Optional[ScanParams]]


class BiMambaMixer(BaseModule):
    """Mix tokens with a forward and a backward selective scan.

    ``(v, z) = in_proj(x)``; each direction scans ``v`` with separate weights
    (names of backward weights end in ``_b``); the sum of both scans is gated
    by ``silu(z)`` and projected back: ``out_proj((y_f + y_b) * silu(z))``.
    Token 0 sees only itself in the forward direction.

    Parameter names and shapes equal the published mixer's.

    Where all layers are plain, one op computes the whole mixer from the
    weights. Where a layer is not (an adapter, a hook, a parametrisation, a
    quantised or exchanged layer; see ``is_plain``), and under tracing, layers
    are called around the scan: the same numbers within rounding, in more time
    and memory.

    Args:
        embed_dims (int): Channels c of the tokens.
        d_state (int): State size n of each inner channel. Defaults to 16.
        d_conv (int): Width k of the short convolution. Defaults to 4.
        expand (int): Inner channels are ``d = expand * embed_dims``. Defaults
            to 2.
        dt_rank (int | str): Rank r of the step projection; 'auto' is
            ``ceil(embed_dims / 16)``. Defaults to 'auto'.
        bidirectional (bool): Have the backward direction. Defaults to True.
        conv_bias (bool): Bias of the convolutions. Defaults to True.
        bias (bool): Bias of ``in_proj`` and ``out_proj``. Defaults to False.
        dt_init_range (tuple[float, float], optional): Draw initial step
            sizes log-uniformly from this range, as Mamba does. Defaults to
            None: step biases start at 0 and weights are normal, as in the
            published VideoMamba training.
        dt_init_floor (float): Least initial step size under
            ``dt_init_range``. Defaults to 1e-4.
        scan_order (str): A name in ``MIXER_ORDERS``. 'spatiotemporal_v1'
            runs the forward scan in stored order and the backward scan in
            temporal-first order; 'spatiotemporal_v2' sums both directions of
            both orders, with the weights shared by the orders. Defaults to
            'spatial_first'.
        backend (str): Backend of the ops. Defaults to 'auto'.
        init_cfg (dict, optional): mmengine's initialisation config. Defaults
            to None.

    Raises:
        ValueError: If ``scan_order`` or ``dt_rank`` is not allowed.

    Source: Zhu et al., arXiv:2401.09417, Algorithm 1; VideoMamba,
    arXiv:2403.06977, Section 3.2.
    """

    def __init__(self,
                 embed_dims: int,
                 d_state: int = 16,
                 d_conv: int = 4,
                 expand: int = 2,
                 dt_rank: Union[int, str] = 'auto',
                 bidirectional: bool = True,
                 conv_bias: bool = True,
                 bias: bool = False,
                 dt_init_range: Optional[tuple] = None,
                 dt_init_floor: float = 1e-4,
                 scan_order: str = 'spatial_first',
                 backend: str = 'auto',
                 init_cfg: Optional[dict] = None) -> None:
        super().__init__(init_cfg)
        if scan_order not in MIXER_ORDERS:
            raise ValueError(f'unknown scan_order {scan_order!r}; a mixer '
                             f'knows {list(MIXER_ORDERS)}')
        if dt_rank == 'auto':
            dt_rank = math.ceil(embed_dims / 16)
        elif not isinstance(dt_rank, int) or dt_rank < 1:
            raise ValueError("dt_rank must be 'auto' or a positive int, but "
                             f'got {dt_rank!r}')
        d = expand * embed_dims
        self.d_state = d_state
        self.dt_rank = dt_rank
        self.bidirectional = bidirectional
        self.scan_order = scan_order
        self.backend = backend
        self.in_proj = nn.Linear(embed_dims, 2 * d, bias=bias)
        self._ends = ('', '_b') if bidirectional else ('', )
        for end in self._ends:
            # Conv1d pads both ends; the first l of the outputs are the causal
            # convolution.
            conv = nn.Conv1d(
                d, d, d_conv, groups=d, padding=d_conv - 1, bias=conv_bias)
            self.add_module('conv1d' + end, conv)
            self.add_module('x_proj' + end,
                            nn.Linear(d, dt_rank + 2 * d_state, bias=False))
            self.add_module('dt_proj' + end, nn.Linear(dt_rank, d))
            # Rates 1 to n in each channel, the start of Mamba (S4D-Real). A
            # logarithm is learned: a negative exponential keeps each state
            # decaying.
            A = torch.arange(1, d_state + 1, dtype=torch.float32)
            self.register_parameter('A_b_log' if end else 'A_log',
                                    nn.Parameter(A.log().repeat(d, 1)))
            self.register_parameter('D' + end, nn.Parameter(torch.ones(d)))
        self.out_proj = nn.Linear(d, embed_dims, bias=bias)
        self._reset(dt_init_range, dt_init_floor)

    def _reset(self, dt_init_range: Optional[tuple], floor: float) -> None:
        """Initialise the projections; out_proj keeps torch's default."""
        for name, module in self.named_children():
            if isinstance(module, nn.Linear) and name != 'out_proj':
                nn.init.normal_(module.weight, std=0.02)
            if isinstance(module, nn.Linear) and module.bias is not None:
                nn.init.zeros_(module.bias)
            if name.startswith('dt_proj') and dt_init_range is not None:
                r = module.in_features
                nn.init.uniform_(module.weight, -r**-0.5, r**-0.5)
                low, high = (math.log(v) for v in dt_init_range)
                step = torch.empty_like(module.bias).uniform_(low, high)
                step = step.exp().clamp(min=floor)
                with torch.no_grad():
                    # The inverse of softplus: the scan's softplus then gives
                    # the drawn steps.
                    module.bias.copy_(step + torch.log(-torch.expm1(-step)))

    def direction(self, end: str) -> Direction:
        """Collect the layers and weights of a direction.

        Args:
            end (str): '' for the forward direction, '_b' for the backward
                direction.

        Returns:
            Direction: The current layers, adapters included.
        """
        layers = self._modules
        return Direction(layers['conv1d' + end], layers['x_proj' + end],
                         layers['dt_proj' + end],
                         self.A_b_log if end else self.A_log,
                         getattr(self, 'D' + end), self.dt_rank, self.d_state,
                         bool(end))

    def scans(self) -> List[Tuple[str, bool]]:
        """List the scans summed by the mixer, before the gate.

        Returns:
            list[tuple[str, bool]]: Of each scan the direction, '' or '_b',
            and whether the tokens are in temporal-first order.
        """
        if self.scan_order == 'spatiotemporal_v1':
            return [(end, bool(end)) for end in self._ends]
        moved = dict(spatial_first=[False], temporal_first=[True])
        return [(end, m) for m in moved.get(self.scan_order, [False, True])
                for end in self._ends]

    def forward(self, x: Tensor, order: Optional[Tensor] = None) -> Tensor:
        """Mix the tokens.

        Args:
            x (Tensor): Tokens in stored order, shape (b, l, c).
            order (Tensor, optional): Index of the temporal-first sequence
                into the stored tokens, int64, shape (l, ) or (b, l). Needed
                by every ``scan_order`` but 'spatial_first'. Defaults to None.

        Returns:
            Tensor: Mixed tokens in stored order, shape (b, l, c).

        Raises:
            ValueError: If ``order`` is needed and missing.
        """
        if self.scan_order == 'spatial_first':
            return self._mix(x, self._ends)
        if order is None:
            raise ValueError(
                f'scan_order {self.scan_order!r} needs the index `order`')
        # Inverted before the expansion: once instead of once per sample.
        back = _inverse(order).expand(x.shape[:2])
        order = order.expand(x.shape[:2])
        if self.scan_order == 'temporal_first':
            return _take(self._mix(_take(x, order), self._ends), back)
        return self._mix_both_orders(x, order, back)

    def _mix(self, x: Tensor, ends: Sequence[str]) -> Tensor:
        """Project in, scan in the directions '' or '_b', and project out."""
        in_proj, out_proj = self.in_proj, self.out_proj
        if is_plain(in_proj, nn.Linear) and is_plain(out_proj, nn.Linear):
            params = self._fused(x, ends)
            if params is not None:
                return bidirectional_mixer(
                    x,
                    in_proj.weight,
                    out_proj.weight,
                    *params,
                    in_proj.bias,
                    out_proj.bias,
                    self.backend,
                    log_rates=True)
        self._tell_called(x)
        y, = self._scan((in_proj(x), ), ends)
        return out_proj(y)

    def is_plain(self) -> bool:
        """Tell whether an op may compute the mixer from the weights alone.

        Returns:
            bool: False if the mixer or a layer has a hook, or a layer has to
            be called.
        """
        return is_untouched(self, BiMambaMixer) and all(
            is_plain_part(name, layer)
            for name, layer in self._modules.items() if layer is not None)

    def _tell_called(self, x: Tensor) -> None:
        """Log once the name of a layer that is not plain."""
        if not being_traced(x):
            tell_called(part for part in self.named_children()
                        if not is_plain_part(*part))

    def _mix_both_orders(self, x: Tensor, order: Tensor,
                         back: Tensor) -> Tensor:
        """Mix with some scans in stored and some in temporal order."""
        self._tell_called(x)
        # A projection works token by token: one for both orders.
        xz = self.in_proj(x)  # (b, l, 2 * d)
        moved = _take(xz, order)
        if self.scan_order == 'spatiotemporal_v2':
            # Both sequences in a call share the collected weights.
            y, other = self._scan((xz, moved), self._ends)
            y = y + _take(other, back)
        else:
            y, = self._scan((xz, ), self._ends[:1])
            if self.bidirectional:
                other, = self._scan((moved, ), self._ends[1:])
                y = y + _take(other, back)
        return self.out_proj(y)

    def _scan(self, sequences: Sequence[Tensor],
              ends: Sequence[str]) -> List[Tensor]:
        """Compute all between the projections, in the directions named.

        The weights are collected once for all sequences.
        """
        params = self._fused(sequences[0], ends)
        if params is not None:
            return [
                bidirectional_selective_scan(
                    xz, *params, self.backend, log_rates=True)
                for xz in sequences
            ]
        directions = [self.direction(end) for end in ends]
        return [
            layerwise_scan(xz, directions, backend=self.backend)
            for xz in sequences
        ]

    def _fused(self, x: Tensor, ends: Sequence[str]) -> Optional[_BothParams]:
        """Return the weights of both directions for a fused op.

        A direction without a name in ``ends`` has None. The result is None if
        a layer has to be called.
        """
        if being_traced(x):
            return None
        params: List[Optional[ScanParams]] = [None, None]
        for end in ends:
            direction = self.direction(end)
            if not direction.is_plain():
                return None
            # False and True are the places 0 (forward) and 1 (backward).
            params[direction.reverse] = direction.params()
        return params[0], params[1]


def _inverse(order: Tensor) -> Tensor:
    """Return the inverse of a permutation index, shape (..., l)."""
    # A scatter inverts a permutation without the sort of an argsort.
    places = torch.arange(order.shape[-1], device=order.device)
    return order.scatter(-1, order, places.expand(order.shape))


def _take(x: Tensor, index: Tensor) -> Tensor:
    """Gather tokens (b, l, c) by an index (b, l)."""
    return x.gather(1, index.unsqueeze(-1).expand(-1, -1, x.shape[-1]))
