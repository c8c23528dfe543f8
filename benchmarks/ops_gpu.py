"""Time the ops on one GPU: our kernels and the stock packages.

    python benchmarks/ops_gpu.py

'scan' and 'conv' are bare kernels, both directions: one launch of ours, two
of the stock packages, channel-first as those want it. The others are the ops
that a model calls. bfloat16 tokens, weights in the dtypes of a model.
"""
import argparse
from typing import Any, Callable, Dict, Iterator, List, Tuple

import torch
from gpu_common import Clock, Entry, Results, cell, parse, table
from torch import Tensor
from wrapped_page import wrapped

from mmvideomamba.ops import (ScanParams, add_rms_norm, bidirectional_mixer,
                              bidirectional_selective_scan)
from mmvideomamba.ops.dispatch import resolve

KEYS = ('what', 'size', 'backend')
# b, l, d
SIZES = [(32, 1569, 1152), (8, 12545, 384), (4, 12545, 1152), (1, 1569, 1152)]
TINY = [(2, 9, 32)]
STATE = 16
TAPS = 4
DTYPE = torch.bfloat16
BOTH = 0b10  # the second of two directions runs backward

Job = Tuple[str, Callable, Entry]


class Inputs:
    """Random inputs of all ops at one size.

    Args:
        size (tuple[int]): b, l, d.
        device (torch.device): Where they are.
    """

    def __init__(self, size: Tuple[int, int, int],
                 device: torch.device) -> None:
        b, l, d = self.size = size
        self.r = -(-d // 32)
        c, n = d // 2, STATE

        def make(*shape: int,
                 dtype: torch.dtype = DTYPE,
                 scale: float = 1.) -> Tensor:
            x = torch.randn(shape, device=device) * scale
            return x.to(dtype).requires_grad_()

        full: Dict[str, Any] = dict(dtype=torch.float32)
        self.x = make(b, l, c)
        self.residual = make(b, l, c, **full)
        self.norm = make(c, **full)
        self.xz = make(b, l, 2 * d)
        self.projections = (make(2 * d, c,
                                 scale=c**-0.5), make(c, d, scale=d**-0.5))

        def direction() -> ScanParams:
            return ScanParams(
                make(d, 1, TAPS, scale=0.5),
                make(d),
                make(self.r + 2 * n, d, scale=d**-0.5),
                make(d, self.r, scale=self.r**-0.5),
                make(d, **full),
                # As initialised.
                (-torch.arange(1., n + 1, device=device).repeat(d, 1)
                 ).requires_grad_(),
                make(d, **full))

        self.params = (direction(), direction())


def both_ways(name: str, run: Callable[[], tuple],
              inputs: List[Tensor]) -> Iterator[Job]:
    """Yield the forward pass of an op, and forward with backward."""

    def forward() -> tuple:
        with torch.no_grad():
            return run()

    cotangents = [torch.randn_like(y) for y in forward()]

    def step() -> None:
        torch.autograd.grad(run(), inputs, cotangents)

    yield f'{name} forward', forward, {}
    yield f'{name} forward + backward', step, {}


def model_ops(x: Inputs, backend: str) -> Iterator[Job]:
    """Yield the ops that a model calls."""
    weights = [t for p in x.params for t in p if t is not None]

    def inside() -> tuple:
        y = bidirectional_selective_scan(x.xz, *x.params, backend)
        return y,

    def mixer() -> tuple:
        return bidirectional_mixer(
            x.x, *x.projections, *x.params, backend=backend),

    def norm() -> tuple:
        return add_rms_norm(x.x, x.residual, x.norm, backend=backend)

    yield from both_ways('inside', inside, [x.xz, *weights])
    yield from both_ways('mixer', mixer, [x.x, *x.projections, *weights])
    if backend != 'mamba_ssm':  # has none of its own here
        yield from both_ways('add + norm', norm, [x.x, x.residual, x.norm])


def counts(size: Tuple[int, int, int], tensors: int, exps: int) -> Entry:
    """Return the least bytes and exponentials of a pass over (b, l, d)."""
    b, l, d = size
    return dict(bytes=tensors * b * l * d * 2, exps=exps * b * l * d * STATE)


def triton_kernels(x: Inputs) -> Iterator[Job]:
    """Yield our kernels: both directions in one launch."""
    from mmvideomamba.ops.conv.triton.launch import conv_backward, conv_forward
    from mmvideomamba.ops.scan.triton.launch import (reduce_bc, scan_backward,
                                                     scan_forward)
    b, l, d = x.size
    v = x.xz.detach()[..., :d]
    s, steps = (torch.randn(2, b, l, d, device=v.device) for _ in range(2))
    s, delta = s.to(DTYPE), steps.abs().to(DTYPE)
    # As the kernels want them for 16 states in half precision.
    bc = torch.randn(2, b, l, 2, STATE, device=v.device).to(DTYPE)
    A, D, taps, bias = (
        torch.stack([getattr(p, k).detach() for p in x.params]).float()
        for k in ('A', 'D', 'conv_weight', 'conv_bias'))
    taps, A = taps.squeeze(2), A.transpose(1, 2).contiguous()
    dy = torch.randn(b, l, d, device=v.device).to(DTYPE)
    dx = torch.empty_like(dy)
    # So small that a chunk hands on all it has, to the last token; the other
    # steps are as large as those of a fresh model.
    small = delta / 1000
    ranks = torch.randn(2 * b * l, x.r, device=v.device).to(DTYPE)
    states = scan_forward(s, delta, A, bc, D, BOTH, DTYPE, True).states

    def backward(steps: Tensor) -> Tensor:
        found = scan_backward(s, steps, A, bc, D, dy, states, BOTH, True)
        return reduce_bc(found.bc, ranks, True)

    # Tensors of (b, l, d) that must be read and written; per direction u,
    # delta, y, and dy once, du, ddelta.
    yield ('scan forward',
           lambda: scan_forward(s, delta, A, bc, D, BOTH, DTYPE, False),
           counts(x.size, 6, 2))
    yield ('scan forward, states kept',
           lambda: scan_forward(s, delta, A, bc, D, BOTH, DTYPE, True),
           counts(x.size, 6, 2))
    yield ('scan forward, small steps',
           lambda: scan_forward(s, small, A, bc, D, BOTH, DTYPE, False),
           counts(x.size, 6, 2))
    yield 'scan backward', lambda: backward(delta), counts(x.size, 9, 4)
    yield ('scan backward, small steps', lambda: backward(small),
           counts(x.size, 9, 4))
    yield ('conv forward', lambda: conv_forward(v, taps, bias, BOTH, True),
           counts(x.size, 3, 0))
    # Takes the gradient of each direction; it may be overwritten.
    grad = torch.randn_like(s)
    yield ('conv backward',
           lambda: conv_backward(v, taps, bias, grad, dx, BOTH, True),
           counts(x.size, 4, 0))


def stock_kernels(x: Inputs) -> Iterator[Job]:
    """Yield the stock kernels: two launches, channel-first, no flips."""
    from causal_conv1d import causal_conv1d_fn
    from mamba_ssm.ops.selective_scan_interface import selective_scan_fn
    b, l, d = x.size
    device = x.xz.device
    u, delta, z, dy = (
        torch.randn(b, d, l, device=device).to(DTYPE) for _ in range(4))
    B, C = (
        torch.randn(b, STATE, l, device=device).to(DTYPE) for _ in range(2))
    tokens = [t.requires_grad_() for t in (u, delta, B, C, z)]

    def scan(p: ScanParams) -> Tensor:
        return selective_scan_fn(u, delta, p.A, B, C, p.D, z, p.dt_proj_bias,
                                 True)

    def conv(p: ScanParams) -> Tensor:
        return causal_conv1d_fn(
            u, p.conv_weight.squeeze(1), p.conv_bias, activation='silu')

    def forward(kernel: Callable) -> Callable:

        def run() -> None:
            with torch.no_grad():
                for p in x.params:
                    kernel(p)

        return run

    def backward(kernel: Callable, inputs: Callable) -> Callable:
        outs = [kernel(p) for p in x.params]

        def run() -> None:
            for y, p in zip(outs, x.params):
                torch.autograd.grad(y, inputs(p), dy, retain_graph=True)

        return run

    # Per direction u, delta, z, y; in backward also the ungated output.
    yield 'scan forward', forward(scan), counts(x.size, 8, 2)
    yield ('scan backward',
           backward(scan, lambda p: [*tokens, p.A, p.D, p.dt_proj_bias]),
           counts(x.size, 16, 4))
    yield 'conv forward', forward(conv), counts(x.size, 4, 0)
    yield ('conv backward',
           backward(conv, lambda p: [u, p.conv_weight, p.conv_bias]),
           counts(x.size, 6, 0))


def jobs(x: Inputs, backend: str) -> Iterator[Job]:
    """Yield all that is timed of a backend."""
    bare = dict(triton=triton_kernels, mamba_ssm=stock_kernels)
    if backend in bare:
        yield from bare[backend](x)
    yield from model_ops(x, backend)


def job(run: Callable, amounts: Entry, clock: Clock) -> Entry:
    """Time a job and derive its rates."""
    entry = clock.measure(run)
    if amounts:
        entry['gbps'] = amounts['bytes'] / entry['ms'] / 1e6
        entry['gexps'] = amounts['exps'] / entry['ms'] / 1e6
    return entry


def measure_all(args: argparse.Namespace, results: Results) -> None:
    """Time every op of every backend at every size."""
    clock = Clock(args)
    for size in TINY if args.tiny else SIZES:
        x = Inputs(size, clock.device)
        for backend in args.backends:
            keys = dict(size=list(size), backend=backend)
            try:
                resolve('bidirectional_mixer', backend, x.x)
            except RuntimeError as error:
                print(f'left out: {error}')
                continue
            for what, run, amounts in jobs(x, backend):
                results.run(
                    lambda: job(run, amounts, clock), what=what, **keys)
                clock.free()
        del x
        clock.free()


def render(results: Results) -> str:
    """Return the tables as markdown."""
    backends = list(dict.fromkeys(e['backend'] for e in results.entries))
    parts = [
        '# Ops', '',
        results.head(),
        f'Medians. Both directions, n = {STATE}, bfloat16. GB/s and Gexp/s '
        'count the least that must be moved and computed, so a pass that '
        'loads something twice shows a lower rate.'
    ]
    sizes = dict.fromkeys(tuple(e['size']) for e in results.entries)
    for size in sizes:
        rows = []
        here = [e for e in results.entries if tuple(e['size']) == size]
        for what in dict.fromkeys(e['what'] for e in here):
            row = [what]
            for backend in backends:
                e = results.find(what=what, size=list(size), backend=backend)
                row += [
                    cell(e, 'ms', 3),
                    cell(e, 'gbps', 0) if 'gbps' in e else '',
                    cell(e, 'gexps', 0) if e.get('gexps') else ''
                ]
            rows.append(row)
        head = ['op']
        for backend in backends:
            head += [f'{backend} ms', 'GB/s', 'Gexp/s']
        b, l, d = size
        parts += ['', f'## b {b}, l {l}, d {d}', '', table(head, rows)]
    return '\n'.join(parts) + '\n'


def main() -> None:
    args = parse(argparse.ArgumentParser(description=__doc__.splitlines()[0]))
    results = Results(args.out / 'ops_gpu.json', KEYS, args.device,
                      args.render)
    if not args.render:
        torch.manual_seed(0)
        measure_all(args, results)
    text = render(results)
    (args.out / 'ops_gpu.md').write_text(wrapped(text))
    print(text)


if __name__ == '__main__':
    main()
