"""Cases of the self-check: inputs and calls of the public ops.

Together the cases launch every kernel, forward and backward; a test counts
the launches. Sizes: b samples, l tokens, d channels, n states, r step ranks.
"""
from typing import Callable, Dict, List, NamedTuple, Tuple

import torch
from torch import Tensor

from ..conv.api import causal_conv1d
from ..mixer.api import (ScanParams, bidirectional_mixer,
                         bidirectional_selective_scan)
from ..norm.api import add_rms_norm
from ..runtime.verdicts import N16_SCAN
from ..scan.api import selective_scan

HALF = (torch.bfloat16, torch.float16)
DTYPES = (torch.float32, *HALF)
# Weights that stay float32 with tokens in half precision.
_FLOAT32 = ('A', 'D', 'delta_bias', 'dt_proj_bias')
_DIRECTIONS = ('forward', 'backward')

Tensors = Dict[str, Tensor]


class Layout(NamedTuple):
    """Sizes of the tokens.

    Attributes:
        b (int): Samples.
        l (int): Tokens of a sample.
        d (int): Channels, a multiple of 4.
    """
    b: int
    l: int
    d: int


class Sizes(NamedTuple):
    """Both layouts of length.

    Attributes:
        few (Layout): Few long sequences, scanned in chunks.
        many (Layout): Many short sequences, each scanned whole: at most 64
            tokens, the shortest chunk.
    """
    few: Layout
    many: Layout


# The last block of 32 channels is partly empty in ``few``, full in ``many``.
GPU_SIZES = Sizes(Layout(2, 1569, 196), Layout(96, 61, 192))
# For Triton's interpreter, which takes seconds for a few tokens.
TINY_SIZES = Sizes(Layout(1, 65, 4), Layout(1, 5, 8))


class Case(NamedTuple):
    """An op, with inputs that take certain kernels.

    Attributes:
        title (str): Name in the table.
        kind (str): Kind of bound: 'op' rounds inputs and outputs alone,
            'scans' several intermediate results, 'mixer' more of them.
        family (str): Kernels judged by the case, a name in ``FAMILIES`` of
            ``runtime/verdicts.py``.
        dtypes (tuple[torch.dtype, ...]): Dtypes of the tokens.
        make (Callable): Takes a layout and returns float64 inputs by name.
        call (Callable): Takes the inputs and a backend; returns the outputs.
        autocast (bool): Half precision by autocast, with all inputs in
            float32, as in training. Defaults to False.
    """
    title: str
    kind: str
    family: str
    dtypes: Tuple[torch.dtype, ...]
    make: Callable[[Layout], Tensors]
    call: Callable[[Tensors, str], Tensors]
    autocast: bool = False


def stays_float32(name: str) -> bool:
    """Tell whether an input keeps float32 with half-precision tokens.

    Args:
        name (str): Name of the input, perhaps with the ending of a direction.

    Returns:
        bool: False for an input in the dtype of the tokens.
    """
    return name.rpartition('.')[2] in _FLOAT32


def _normal(*shape: int, scale: float = 1.) -> Tensor:
    return torch.randn(shape, dtype=torch.float64) * scale


def _rates(d: int, n: int) -> Tensor:
    """Return decay rates between -4 and -0.05."""
    return -torch.rand(d, n, dtype=torch.float64) * 3.95 - 0.05


def _make_scan(layout: Layout) -> Tensors:
    b, l, d = layout
    n = 16 if l > 64 else 5
    return dict(
        u=_normal(b, l, d),
        delta=_normal(b, l, d),
        A=_rates(d, n),
        B=_normal(b, l, n),
        C=_normal(b, l, n),
        D=_normal(d),
        z=_normal(b, l, d),
        delta_bias=_normal(d))


def _scan(x: Tensors, backend: str) -> Tensors:
    y, last = selective_scan(
        **x,
        delta_softplus=True,
        reverse=x['u'].shape[1] > 64,
        backend=backend,
        return_last_state=True)
    return dict(y=y, last_state=last)


def _make_conv(layout: Layout) -> Tensors:
    b, l, d = layout
    return dict(
        x=_normal(b, l, d), weight=_normal(d, 4, scale=0.5), bias=_normal(d))


def _conv(x: Tensors, backend: str) -> Tensors:
    y = causal_conv1d(
        x['x'],
        x['weight'],
        x['bias'],
        reverse=x['x'].shape[1] > 64,
        backend=backend)
    return dict(y=y)


def _make_norm(layout: Layout) -> Tensors:
    return dict(
        x=_normal(*layout),
        residual=_normal(*layout),
        weight=1 + _normal(layout.d, scale=0.2))


def _norm(x: Tensors, backend: str) -> Tensors:
    y, stream = add_rms_norm(
        x['x'], x['residual'], x['weight'], backend=backend)
    return dict(y=y, stream=stream)


def _dropping_norm(x: Tensors, backend: str) -> Tensors:
    b = x['x'].shape[0]
    draw = (torch.arange(b, device=x['x'].device) + 0.5) / b
    y, stream = add_rms_norm(
        x['x'],
        x['residual'],
        x['weight'],
        backend=backend,
        draw=draw,
        drop_prob=0.3)
    return dict(y=y, stream=stream)


def _make_params(d: int, log_rates: bool = False) -> Tensors:
    """Return the weights of both directions; the rank is padded."""
    n, r = 16, -(-d // 32)
    x = {}
    for direction in _DIRECTIONS:
        params = ScanParams(
            _normal(d, 1, 4, scale=0.5), _normal(d, scale=0.1),
            _normal(r + 2 * n, d, scale=d**-0.5), _normal(d, r, scale=r**-0.5),
            _normal(d), _rates(d, n), _normal(d))
        if log_rates:
            params = params._replace(A=params.A.neg().log())
        for name, tensor in params._asdict().items():
            x[f'{direction}.{name}'] = tensor
    return x


def _params(x: Tensors) -> List[ScanParams]:
    return [
        ScanParams(*(x[f'{direction}.{name}'] for name in ScanParams._fields))
        for direction in _DIRECTIONS
    ]


def _make_scans(layout: Layout) -> Tensors:
    b, l, d = layout
    return dict(xz=_normal(b, l, 2 * d), **_make_params(d))


def _scans(x: Tensors, backend: str) -> Tensors:
    forward, backward = _params(x)
    y = bidirectional_selective_scan(x['xz'], forward, backward, backend)
    return dict(y=y)


def _make_mixer(layout: Layout) -> Tensors:
    b, l, d = layout
    c = d // 2
    return dict(
        x=_normal(b, l, c),
        in_weight=_normal(2 * d, c, scale=c**-0.5),
        out_weight=_normal(c, d, scale=d**-0.5),
        **_make_params(d, log_rates=True))


def _mixer(x: Tensors, backend: str) -> Tensors:
    forward, backward = _params(x)
    y = bidirectional_mixer(
        x['x'],
        x['in_weight'],
        x['out_weight'],
        forward,
        backward,
        backend=backend,
        log_rates=True)
    return dict(y=y)


CASES: Tuple[Case, ...] = (
    Case('selective_scan', 'op', 'selective_scan', DTYPES, _make_scan, _scan),
    Case('causal_conv1d', 'op', 'causal_conv1d', DTYPES, _make_conv, _conv),
    Case('add_rms_norm', 'op', 'add_rms_norm', DTYPES, _make_norm, _norm),
    Case('norm with drop path', 'op', 'add_rms_norm', DTYPES, _make_norm,
         _dropping_norm),
    Case('both scans, general', 'scans', 'bidirectional_mixer', DTYPES,
         _make_scans, _scans),
    Case('mixer, general', 'mixer', 'bidirectional_mixer', DTYPES, _make_mixer,
         _mixer, True),
    Case('both scans, n16', 'scans', N16_SCAN, HALF, _make_scans, _scans),
    Case('mixer, n16', 'mixer', N16_SCAN, HALF, _make_mixer, _mixer, True),
)
