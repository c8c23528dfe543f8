"""Multiply-accumulates of a run, by part of the model and kind.

torch's ``FlopCounterMode`` counts matrix products, convolutions and attention
of any module. The operators of a VideoMamba run in kernels invisible to torch,
so operators of the same shapes stand in for the kernels while a run is
counted, and a formula belongs to each, for a tensor (b, l, d), n states and a
convolution of width k, in each direction:

- short convolution: ``b * l * d * k``
- scan: ``9 * b * l * d * n``
- gate and skip: ``2 * b * l * d``
- norm: ``5`` for each element

The 9 operations of a scan are the products, the exponential and the sums of
recurrence and output, a convention of the field for Mamba.

Source: Gu and Dao, arXiv:2312.00752, Algorithm 2, for the operators.
"""
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import (Any, Callable, Dict, Iterator, List, NamedTuple, Optional,
                    Sequence, Tuple)

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from mmvideomamba.models.layers import BiMambaMixer
from mmvideomamba.models.layers.add_norm import AddRMSNorm

SCAN, GATE, NORM = 9, 2, 5
# The kinds that the published tables of VideoMamba count.
PUBLISHED = ('patch embedding', 'in_proj and out_proj', 'norms', 'head')
_FLOPS_PER_MAC = 2  # of FlopCounterMode

Shape = Tuple[int, ...]


class Count(NamedTuple):
    """Key of a count.

    Args:
        part (str): Child of the model, such as 'backbone'.
        kind (str): Operator, such as 'scan'.
    """
    part: str
    kind: str


def _define(name: str) -> Any:
    """Define an operator that returns zeros of the shape of ``x``."""

    def zeros(x: Tensor, size: int) -> Tensor:
        # A custom operator must not return an input.
        return torch.zeros_like(x)

    operator = torch.library.custom_op(
        f'mmvideomamba_count::{name}', zeros, mutates_args=())
    # For the meta device, where views are counted.
    operator.register_fake(zeros)
    return operator


_conv1d, _scan, _gate, _norm = (
    _define(name) for name in ('conv1d', 'scan', 'gate', 'norm'))


def _formula(factor: int, x: Shape, size: int) -> int:
    count = _FLOPS_PER_MAC * factor * size
    for side in x:
        count *= side
    return count


def _counted(factor: int) -> Callable[..., int]:
    """Return a formula in the form of FlopCounterMode."""

    def formula(x: Shape, size: int, *args: Any, **kwargs: Any) -> int:
        return _formula(factor, x, size)

    return formula


def _layer_norm(x: Shape, *args: Any, **kwargs: Any) -> int:
    return _formula(NORM, x, 1)


_OPERATORS = torch.ops.mmvideomamba_count
_FORMULAS = {
    _OPERATORS.conv1d: _counted(1),
    _OPERATORS.scan: _counted(SCAN),
    _OPERATORS.gate: _counted(GATE),
    _OPERATORS.norm: _counted(NORM),
    torch.ops.aten.native_layer_norm: _layer_norm,
}
_KINDS = {
    _OPERATORS.conv1d: 'conv1d',
    _OPERATORS.scan: 'scan',
    _OPERATORS.gate: 'gate and skip',
    _OPERATORS.norm: 'norms',
    torch.ops.aten.native_layer_norm: 'norms',
}
_NAMED_KINDS = dict(
    patch_embed='patch embedding',
    in_proj='in_proj and out_proj',
    out_proj='in_proj and out_proj',
    x_proj='x_proj and dt_proj',
    x_proj_b='x_proj and dt_proj',
    dt_proj='x_proj and dt_proj',
    dt_proj_b='x_proj and dt_proj')
_HEADS = ('cls_head', 'head')
_ORDER = ('patch embedding', 'in_proj and out_proj', 'conv1d',
          'x_proj and dt_proj', 'scan', 'gate and skip', 'norms', 'head',
          'other products')


def _counted_scan(mixer: BiMambaMixer, xz: Tensor,
                  ends: Sequence[str]) -> Tensor:
    """Stand in for both directions between the projections of a mixer."""
    channels, states = mixer.A_log.shape
    # The second half of the channels is the gate.
    x = xz[..., :channels]
    for end in ends:
        conv, dt_proj = (
            getattr(mixer, name + end) for name in ('conv1d', 'dt_proj'))
        u = _conv1d(x, conv.kernel_size[0])
        rank = dt_proj.in_features
        # Called to be counted: the values go nowhere.
        dt_proj(getattr(mixer, 'x_proj' + end)(u)[..., :rank])
        _gate(_scan(u, states), 1)
    return torch.zeros_like(x)


def _counted_mix(mixer: BiMambaMixer, x: Tensor,
                 ends: Sequence[str]) -> Tensor:
    return mixer.out_proj(_counted_scan(mixer, mixer.in_proj(x), ends))


def _counted_scans(mixer: BiMambaMixer, sequences: Sequence[Tensor],
                   ends: Sequence[str]) -> List[Tensor]:
    return [_counted_scan(mixer, xz, ends) for xz in sequences]


def _counted_norm(x: Tensor,
                  residual: Optional[Tensor] = None) -> Tuple[Tensor, Tensor]:
    stream = x.float() if residual is None else residual + x
    return _norm(x, 1), stream


@contextmanager
def _plain_attention() -> Iterator[None]:
    """Let attention run as matrix products, which torch counts anywhere.

    torch has no formula for the fused attention of CPUs.
    """
    fast = torch.backends.mha.get_fastpath_enabled()
    # The fast path of MultiheadAttention is a fused operator without a
    # formula.
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)


@contextmanager
def _replaced(module: nn.Module, **functions: Callable) -> Iterator[None]:
    """Set functions on an instance, in front of the methods of the class."""
    try:
        vars(module).update(functions)
        yield
    finally:
        for name in functions:
            vars(module).pop(name, None)


class _Run(nn.Module):
    """Give all modules of a run names."""

    def __init__(self, model: nn.Module, outside: Dict[str, nn.Module],
                 run: Callable[[], Any]) -> None:
        super().__init__()
        self.model = model
        for name, module in outside.items():
            self.add_module(name, module)
        self.run = run

    def forward(self) -> None:
        """Run the model."""
        self.run()


def _key(path: str, operator: Any) -> Count:
    """Name part and kind of an operator inside a module."""
    names = path.split('.')[1:]  # below _Run
    names = names[names[:1] == ['model']:]
    part = names[0] if names else 'model'
    kind = _KINDS.get(operator, '')
    if not kind:
        named = [_NAMED_KINDS[n] for n in names if n in _NAMED_KINDS]
        mixes = 'mixer' in names or 'patch_embed' in names
        kind = named[0] if named and mixes else 'other products'
        if part in _HEADS:
            kind = 'head'
    return Count(part, kind)


def count_macs(
        model: nn.Module,
        run: Callable[[], Any],
        outside: Optional[Dict[str, nn.Module]] = None) -> Dict[Count, int]:
    """Count the multiply-accumulates of a run of a model.

    Values are not computed by the operators of a VideoMamba, which return
    zeros of the right shape; the counts depend on shapes only. The model is
    left as before.

    Args:
        model (nn.Module): The model, on any device; 'meta' is the fastest.
        run (Callable): Calls the model, in any way.
        outside (dict[str, nn.Module], optional): Further modules of the run
            by name, such as a teacher not registered by the model.
            Defaults to None.

    Returns:
        dict[Count, int]: Multiply-accumulates by part and kind.

    Raises:
        ValueError: If nothing was counted.
    """
    counter = FlopCounterMode(display=False, custom_mapping=_FORMULAS)
    whole = _Run(model, outside or {}, run)
    with ExitStack() as stack:
        for module in whole.modules():
            if isinstance(module, BiMambaMixer):
                replaced = _replaced(
                    module,
                    _mix=partial(_counted_mix, module),
                    _scan=partial(_counted_scans, module))
                stack.enter_context(replaced)
            elif isinstance(module, AddRMSNorm):
                stack.enter_context(_replaced(module, forward=_counted_norm))
        stack.enter_context(torch.no_grad())
        stack.enter_context(_plain_attention())
        stack.enter_context(counter)
        whole()
    return _by_part(counter.get_flop_counts())


def _by_part(counts: Dict[str, Dict[Any, int]]) -> Dict[Count, int]:
    """Sum counts of modules, of which each includes the inner modules."""
    paths = set(counts) - {'Global'}
    found: Dict[Count, int] = {}
    for path in sorted(paths, key=len):
        outer = path.rpartition('.')[0]
        while outer and outer not in paths:
            outer = outer.rpartition('.')[0]
        for operator, flops in counts[path].items():
            for place, sign in ((path, 1), (outer, -1)):
                if place:
                    key = _key(place, operator)
                    found[key] = found.get(key, 0) + sign * flops
    keys = [key for key, flops in found.items() if flops]
    if not keys:
        raise ValueError('the run of the model holds no operation to count')
    keys.sort(key=lambda key: (key.part, _ORDER.index(key.kind)))
    return {key: found[key] // _FLOPS_PER_MAC for key in keys}


def sum_by_kind(counts: Dict[Count, int]) -> Dict[str, int]:
    """Sum the parts of a model.

    Args:
        counts (dict[Count, int]): From ``count_macs``.

    Returns:
        dict[str, int]: Multiply-accumulates by kind.
    """
    return {
        kind: sum(n for key, n in counts.items() if key.kind == kind)
        for kind in _ORDER if kind in {key.kind
                                       for key in counts}
    }
