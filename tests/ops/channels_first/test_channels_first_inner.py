import re
from typing import Dict

import pytest
import torch
from common import assert_close, gradients, leaves
from naive_ops import naive_conv, naive_scan
from ops.channels_first.published import (SCAN, close, low, scan_tolerance,
                                          token_major)
from torch import Tensor, nn

from mmvideomamba.models.layers import BiMambaMixer
from mmvideomamba.ops import use_backend
from mmvideomamba.ops.channels_first import (causal_conv1d_fn, mamba_inner_fn,
                                             selective_scan_fn)

STATE = ('A', 'D', 'delta_bias')
# Inner channels, states, rank, outer channels.
D, N, R, C = 12, 8, 3, 6


def make_inputs(l: int,
                given: str = '',
                extras: bool = False) -> Dict[str, Tensor]:
    """Return float64 inputs; names in ``given`` are constant weights."""
    torch.manual_seed(0)
    projected = [name for name in 'BC' if name not in given]
    inputs = dict(
        xz=torch.randn(2, 2 * D, l),
        conv1d_weight=torch.randn(D, 1, 3),
        conv1d_bias=torch.randn(D),
        x_proj_weight=torch.randn(R + N * len(projected), D) * D**-0.5,
        delta_proj_weight=torch.randn(D, R) * R**-0.5,
        out_proj_weight=torch.randn(C, D) * D**-0.5,
        A=-0.5 * torch.rand(D, N),
        D=torch.randn(D),
        delta_bias=0.5 * torch.rand(D))
    inputs.update({name: torch.randn(D, N) for name in given})
    if extras:
        inputs.update(
            out_proj_bias=torch.randn(C), dt_rms_weight=1 + torch.rand(D))
        for name in projected:
            inputs[f'{name}_proj_bias'] = torch.randn(N)
            inputs[f'{name.lower()}_rms_weight'] = 1 + torch.rand(N)
    return {k: low(t) for k, t in inputs.items()}


def normed(x: Tensor, p: Dict[str, Tensor], name: str, eps: float) -> Tensor:
    weight = p.get(f'{name}_rms_weight')
    if weight is None:
        return x
    return x / (x.pow(2).mean(-1, keepdim=True) + eps).sqrt() * weight


def exact(p: Dict[str, Tensor], softplus: bool, eps: float) -> Tensor:
    """Return the block's output, from loops over tokens."""
    v, z = p['xz'].transpose(1, 2).chunk(2, -1)
    s = naive_conv(v, p['conv1d_weight'][:, 0], p['conv1d_bias'])
    rank, *rest = (s @ p['x_proj_weight'].T).split(
        [R] + [N] * sum(name not in p for name in 'BC'), -1)
    delta = normed(rank @ p['delta_proj_weight'].T, p, 'dt', eps)
    weights = []
    for name in 'BC':
        if name in p:
            weights.append(p[name])
        else:
            x = rest.pop(0) + p.get(f'{name}_proj_bias', 0)
            weights.append(normed(x, p, name.lower(), eps))
    y, _ = naive_scan(s, delta, p['A'], *weights, p.get('D'), z,
                      p.get('delta_bias'), softplus)
    return y @ p['out_proj_weight'].T + p.get('out_proj_bias', 0)


def check(inputs: Dict[str, Tensor],
          device: torch.device,
          dtype: torch.dtype = torch.float32,
          softplus: bool = True,
          eps: float = 1e-6) -> None:
    """Compare output and gradients with the loops in float64."""
    constant = (*STATE, 'B', 'C')
    given = leaves({
        k: t.to(device, torch.float32 if k in constant else dtype)
        for k, t in inputs.items()
    })
    given.setdefault('out_proj_bias', None)
    y = mamba_inner_fn(**given, delta_softplus=softplus, b_c_dt_rms_eps=eps)
    assert y.shape == (2, inputs['xz'].shape[2], C) and y.dtype == dtype
    exact_inputs = leaves(inputs)
    wanted = exact(exact_inputs, softplus, eps)
    if dtype != torch.float32:
        # Published for float32 alone; the products are rounded as well.
        assert_close(y, wanted, 'chain')
        return
    close(y, wanted, SCAN[dtype], 'output')
    cotangent = torch.randn(wanted.shape, dtype=torch.float64)
    expected = gradients(wanted, exact_inputs, cotangent)
    used = {k: given[k] for k in inputs}
    for name, g in gradients(y, used, cotangent.to(y)).items():
        close(g, expected[name], scan_tolerance(name, dtype), name)


@pytest.mark.parametrize('extras', [False, True])
@pytest.mark.parametrize('given', ['', 'B', 'C', 'BC'])
def test_published_conditions(backend, device, given, extras):
    if given and backend in ('numba', 'triton'):
        # Named, a backend without constants raises.
        backend = 'auto'
    with use_backend(backend):
        check(make_inputs(128, given, extras), device, eps=1e-2)


@pytest.mark.parametrize('absent', ['D', 'delta_bias', 'softplus'])
def test_absent_options(backend, device, absent):
    inputs = make_inputs(16)
    inputs.pop(absent, None)
    if absent == 'softplus':
        # Negative steps would let the state grow without bounds.
        inputs['A'] = inputs['A'] * 1e-2
    with use_backend(backend):
        check(inputs, device, softplus=absent != 'softplus')


@pytest.mark.parametrize('extras', [False, True])
def test_half_precision(backend, device, extras):
    inputs = make_inputs(32, extras=extras)
    with use_backend(backend):
        check(inputs, device, torch.bfloat16)


def test_given_weights_of_every_token():
    inputs = make_inputs(9, 'BC')
    B, C = torch.randn(2, N, 9), torch.randn(2, 2, N, 9)
    given = {k: t.float() for k, t in inputs.items()}
    given.update(B=B, C=C)
    y = mamba_inner_fn(**given, out_proj_bias=None)
    wanted = exact(
        {
            **inputs, 'B': token_major(B.double()),
            'C': token_major(C.double())
        }, True, 0.)
    close(y, wanted, SCAN[torch.float32], 'output')


class ForeignBlock(nn.Module):
    """A Mamba block as in code written for the packages.

    Args:
        fused (bool): Call ``mamba_inner_fn`` instead of the two others.
    """

    def __init__(self, fused: bool, c: int = 8, n: int = 4) -> None:
        super().__init__()
        d, self.rank, self.n, self.fused = 2 * c, 2, n, fused
        self.in_proj = nn.Linear(c, 2 * d, bias=False)
        self.conv1d = nn.Conv1d(d, d, 4, groups=d, padding=3)
        self.x_proj = nn.Linear(d, self.rank + 2 * n, bias=False)
        self.dt_proj = nn.Linear(self.rank, d)
        self.A_log = nn.Parameter(torch.zeros(d, n))
        self.D = nn.Parameter(torch.ones(d))
        self.out_proj = nn.Linear(d, c, bias=False)

    def forward(self, hidden: Tensor) -> Tensor:
        """Mix tokens (b, l, c)."""
        b, l, c = hidden.shape
        xz = (self.in_proj.weight @ hidden.reshape(b * l, c).t())
        xz = xz.view(-1, b, l).transpose(0, 1)
        A = -torch.exp(self.A_log.float())
        if self.fused:
            return mamba_inner_fn(
                xz,
                self.conv1d.weight,
                self.conv1d.bias,
                self.x_proj.weight,
                self.dt_proj.weight,
                self.out_proj.weight,
                self.out_proj.bias,
                A,
                None,
                None,
                self.D.float(),
                delta_bias=self.dt_proj.bias.float(),
                delta_softplus=True)
        x, z = xz.chunk(2, dim=1)
        x = causal_conv1d_fn(
            x,
            self.conv1d.weight.view(-1, 4),
            self.conv1d.bias,
            activation='silu')
        x_dbl = self.x_proj(x.transpose(1, 2).reshape(b * l, -1))
        dt, B, C = x_dbl.split([self.rank, self.n, self.n], dim=-1)
        dt = (self.dt_proj.weight @ dt.t()).view(-1, b, l).transpose(0, 1)
        B, C = (t.view(b, l, -1).transpose(1, 2).contiguous() for t in (B, C))
        y = selective_scan_fn(
            x,
            dt,
            A,
            B,
            C,
            self.D.float(),
            z=z,
            delta_bias=self.dt_proj.bias.float(),
            delta_softplus=True)
        return self.out_proj(y.transpose(1, 2))


@pytest.mark.parametrize('fused', [False, True])
def test_foreign_code_computes_our_mixer(backend, device, fused):
    block = ForeignBlock(fused)
    ours = BiMambaMixer(8, d_state=4, dt_rank=2, bidirectional=False)
    with torch.no_grad():
        for parameter in ours.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
    block.load_state_dict(ours.state_dict())
    x = torch.randn(2, 21, 8)
    cotangent = torch.randn(2, 21, 8)
    wanted = ours(x)
    wanted.backward(cotangent)
    with use_backend(backend):
        y = block.to(device)(x.to(device))
        y.backward(cotangent.to(device))
    assert_close(y, wanted, 'chain')
    expected = dict(ours.named_parameters())
    for name, parameter in block.named_parameters():
        assert_close(parameter.grad, expected[name].grad, 'chain', name=name)


BAD = [
    (dict(xz=torch.zeros(2, 23, 5)), 'xz must have shape (b, 2 * d, l)'),
    (dict(A=torch.zeros(D, N).cfloat()), 'A is torch.complex64: complex'),
    (dict(A=torch.zeros(D + 1, N)), f'A must have shape ({D}, {N})'),
    (dict(conv1d_weight=torch.zeros(D, 3)), 'conv1d_weight must have shape'),
    (dict(conv1d_bias=torch.zeros(5)), 'conv1d_bias must have shape'),
    (dict(x_proj_weight=torch.zeros(R, D)),
     f'x_proj_weight must have shape ({R + 2 * N}, {D})'),
    (dict(delta_proj_weight=torch.zeros(5, R)), 'delta_proj_weight must'),
    (dict(out_proj_weight=torch.zeros(C, 5)), 'out_proj_weight must have'),
    (dict(B=torch.zeros(D, N)),
     f'x_proj_weight must have shape ({R + N}, {D})'),
    (dict(
        B=torch.zeros(D, N),
        x_proj_weight=torch.zeros(R + N, D),
        B_proj_bias=torch.zeros(N)),
     'B_proj_bias is for a projected B, but B is given'),
    (dict(
        C=torch.zeros(D, N),
        x_proj_weight=torch.zeros(R + N, D),
        c_rms_weight=torch.zeros(N)),
     'c_rms_weight is for a projected C, but C is given'),
    (dict(C_proj_bias=torch.zeros(5)), f'C_proj_bias must have shape ({N},)'),
    (dict(dt_rms_weight=torch.zeros(R)),
     f'dt_rms_weight must have shape ({D},)'),
    (dict(checkpoint_lvl=2), 'checkpoint_lvl must be 0 or 1, not 2'),
]


@pytest.mark.parametrize('change,message', BAD)
def test_bad_input(change, message):
    inputs = {k: t.float() for k, t in make_inputs(5).items()}
    inputs['out_proj_bias'] = None
    mamba_inner_fn(**inputs)
    with pytest.raises(ValueError, match=re.escape(message)):
        mamba_inner_fn(**{**inputs, **change})


def test_checkpoint_level_and_order_of_arguments():
    inputs = {k: t.float() for k, t in make_inputs(5).items()}
    inputs['out_proj_bias'] = torch.randn(C)
    y = mamba_inner_fn(**inputs)
    assert torch.equal(y, mamba_inner_fn(**inputs, checkpoint_lvl=0))
    order = ('xz', 'conv1d_weight', 'conv1d_bias', 'x_proj_weight',
             'delta_proj_weight', 'out_proj_weight', 'out_proj_bias', 'A')
    positional = mamba_inner_fn(*(inputs[k] for k in order), None, None,
                                inputs['D'], inputs['delta_bias'], None, None,
                                True, 1)
    assert torch.equal(y, positional)
