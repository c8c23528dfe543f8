import re
from typing import Dict, Optional, Tuple

import pytest
import torch
from common import (GOLDEN_FLOOR, NOISE, UNDERFLOW, assert_close, cyclic,
                    golden, gradients, leaves, skip_slow)
from naive_ops import naive_bidirectional
from torch import Tensor

from mmvideomamba.ops import (ScanParams, bidirectional_selective_scan,
                              selective_scan)

# b, l, d, n; lengths around the stored states and chunks of the kernels.
SHAPES = [(1, 1, 48, 16), (3, 2, 65, 4), (1, 7, 192, 16), (3, 8, 48, 4),
          (1, 9, 65, 16), (3, 63, 48, 16), (1, 197, 192, 16), (3, 197, 65, 4),
          (0, 7, 48, 16)]
DTYPES = [torch.float32, torch.bfloat16, torch.float16]
CASES = golden('selective_scan').config['cases']
TOKENS = ('u', 'delta', 'B', 'C', 'z')


def make_inputs(b: int, l: int, d: int, n: int) -> Dict[str, Tensor]:
    """Return float64 inputs of a scan, steps for ``delta_softplus``."""
    torch.manual_seed(b * 1000 + l * 100 + d + n)
    make = dict(dtype=torch.float64)
    return dict(
        u=torch.randn(b, l, d, **make),
        delta=torch.randn(b, l, d, **make),
        A=-torch.rand(d, n, **make) * 4 - 0.05,
        B=torch.randn(b, l, n, **make),
        C=torch.randn(b, l, n, **make),
        D=torch.randn(d, **make),
        z=torch.randn(b, l, d, **make),
        delta_bias=torch.randn(d, **make))


def cast(tensors: Dict[str, Tensor],
         dtype: torch.dtype,
         device: Optional[torch.device] = None) -> Dict[str, Tensor]:
    """Return leaves as an op takes them: the state's ones in float32."""
    state = torch.promote_types(dtype, torch.float32)
    return leaves({
        k: t.to(device, dtype if k in TOKENS else state)
        for k, t in tensors.items()
    })


def run(inputs: Dict[str, Tensor], **kwargs) -> Tuple[Tensor, Dict]:
    """Return the output and all gradients for a fixed cotangent."""
    y = selective_scan(**inputs, **kwargs)
    g = torch.Generator().manual_seed(1)
    cotangent = torch.randn(y.shape, generator=g).to(y.device, y.dtype)
    return y, gradients(y, inputs, cotangent)


def compare(found: Tuple[Tensor, Dict],
            wanted: Tuple[Tensor, Dict],
            dtype: torch.dtype,
            backend: str = '') -> None:
    """Compare outputs and gradients of two runs."""
    floor = NOISE.get(backend, UNDERFLOW)
    assert_close(found[0], wanted[0], 'forward', dtype, name='output')
    assert found[1].keys() == wanted[1].keys()
    for name, gradient in found[1].items():
        assert_close(
            gradient, wanted[1][name], 'gradient', dtype, floor, name=name)


def check(inputs: Dict[str, Tensor], backend: str, device: torch.device,
          dtype: torch.dtype, **options) -> None:
    """Compare a backend with the definition in float64 on equal inputs."""
    low = cast(inputs, dtype, device)
    exact = cast({k: t.cpu() for k, t in low.items()}, torch.float64)
    found = run(low, backend=backend, **options)
    assert found[0].dtype == dtype
    for name, gradient in found[1].items():
        assert gradient.dtype == low[name].dtype
    compare(found, run(exact, backend='torch', **options), dtype, backend)


@pytest.mark.parametrize('dtype', DTYPES, ids=str)
@pytest.mark.parametrize('reverse', [False, True])
@pytest.mark.parametrize('shape', SHAPES, ids=str)
def test_backend_is_the_definition(backend, device, shape, reverse, dtype):
    b, l, d, n = shape
    skip_slow(backend, b * l * d * n)
    check(
        make_inputs(*shape),
        backend,
        device,
        dtype,
        delta_softplus=True,
        reverse=reverse)


@pytest.mark.parametrize('softplus', [False, True])
@pytest.mark.parametrize('absent', [('D', ), ('z', ), ('delta_bias', ),
                                    ('D', 'z', 'delta_bias')])
def test_optional_inputs(backend, device, absent, softplus):
    inputs = make_inputs(2, 11, 48, 16)
    if not softplus:
        inputs['delta'] = inputs['delta'].abs()
        inputs['delta_bias'] = inputs['delta_bias'].abs()
    for name in absent:
        del inputs[name]
    check(inputs, backend, device, torch.float32, delta_softplus=softplus)


@pytest.mark.parametrize('softplus,steps', [(False, (1e-7, 1e-5)),
                                            (False, (1e-3, 1e-1)),
                                            (False, (50., 1e4)),
                                            (True, (-60., -40.)),
                                            (True, (-20., -10.)),
                                            (True, (19., 21.)),
                                            (True, (88., 1e4))])
def test_extreme_steps(backend, device, softplus, steps):
    inputs = make_inputs(1, 63, 8, 16)
    low, high = steps
    inputs['delta'] = low + (high - low) * torch.rand_like(inputs['delta'])
    del inputs['delta_bias']
    check(inputs, backend, device, torch.float32, delta_softplus=softplus)


def test_state_outlives_a_long_pause(backend, device):
    # Step sizes of zero neither decay the state nor add to the state.
    l = 4096
    skip_slow(backend, l * 16)
    inputs = make_inputs(1, l, 4, 4)
    inputs['delta'] = torch.zeros_like(inputs['delta'])
    inputs['delta'][:, 0] = 1.
    inputs = {k: inputs[k] for k in ('u', 'delta', 'A', 'B', 'C')}
    inputs['C'] = torch.ones_like(inputs['C'])
    y = selective_scan(**cast(inputs, torch.float32, device), backend=backend)
    assert_close(y[:, -1], y[:, 0], 'forward', torch.float32)


LAYOUTS = dict(
    plain=(2, 9, 4),
    one=(2, 9, 1, 4),
    groups=(2, 9, 3, 4),
    finer=(2, 9, 6, 4),
    constant=(12, 4))


@pytest.mark.parametrize('reverse', [False, True])
@pytest.mark.parametrize('layouts', [('groups', 'groups'), ('plain', 'finer'),
                                     ('finer', 'groups'), ('one', 'one'),
                                     ('groups', 'constant'),
                                     ('constant', 'finer'),
                                     ('constant', 'constant')])
def test_other_layouts(backend, device, layouts, reverse):
    inputs = make_inputs(2, 9, 12, 4)
    for name, layout in zip('BC', layouts):
        inputs[name] = torch.randn(LAYOUTS[layout])
    options = dict(delta_softplus=True, reverse=reverse)
    if 'constant' in layouts and backend in ('numba', 'triton'):
        # A named backend raises, and 'auto' takes another backend.
        message = (f"backend '{backend}' cannot run selective_scan here: B or "
                   'C is constant, of shape (d, n)')
        low = cast(inputs, torch.float32, device)
        with pytest.raises(RuntimeError, match=re.escape(message)):
            selective_scan(**low, backend=backend)
        backend = 'auto'
    check(inputs, backend, device, torch.float32, **options)


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16], ids=str)
def test_groups_in_half_precision(backend, device, dtype):
    inputs = make_inputs(2, 9, 12, 4)
    inputs['B'], inputs['C'] = torch.randn(2, 2, 9, 2, 4)
    check(inputs, backend, device, dtype, delta_softplus=True)


def test_strides_do_not_matter(backend, device):
    inputs = cast(make_inputs(2, 9, 48, 4), torch.float32, device)

    def rearranged(name: str, x: Tensor) -> Tensor:
        x = x.detach()
        if name == 'u':  # transposed
            x = x.transpose(1, 2).contiguous().transpose(1, 2)
        elif name in ('delta', 'B', 'C'):  # part of a larger tensor
            x = torch.cat([x, x, x], -1)[..., x.shape[-1]:-x.shape[-1]]
        elif name == 'z':  # expanded
            x = x[:1].expand(2, -1, -1)
        else:  # every other entry
            x = torch.stack([x, x], -1)[..., 0]
        assert not x.is_contiguous() or x.dim() == 1
        return x.requires_grad_()

    moved = {k: rearranged(k, x) for k, x in inputs.items()}
    inputs['z'] = moved['z'].detach().contiguous().requires_grad_()
    wanted = run(inputs, backend=backend, delta_softplus=True)
    found = run(moved, backend=backend, delta_softplus=True)
    assert torch.equal(found[0], wanted[0])
    for name in inputs:
        assert torch.equal(found[1][name], wanted[1][name]), name


def test_odd_offsets_do_not_matter(backend, device):
    # Tokens at an odd offset of a flat tensor.
    inputs = cast(make_inputs(2, 9, 48, 4), torch.float32, device)

    def moved(x: Tensor) -> Tensor:
        flat = torch.cat([x.new_zeros(1), x.detach().flatten()])
        return flat[1:].view(x.shape).requires_grad_()

    wanted = run(inputs, backend=backend, delta_softplus=True)
    found = run({
        k: moved(x)
        for k, x in inputs.items()
    },
                backend=backend,
                delta_softplus=True)
    assert torch.equal(found[0], wanted[0])
    for name in inputs:
        assert torch.equal(found[1][name], wanted[1][name]), name


@pytest.mark.parametrize('frozen', ['u', 'delta', 'A', 'B', 'C', 'D'])
def test_only_some_inputs_need_a_gradient(backend, device, frozen):
    inputs = cast(make_inputs(1, 9, 48, 4), torch.float32, device)
    _, wanted = run(inputs, backend=backend, delta_softplus=True)
    y = selective_scan(
        **{
            k: x if k == frozen else x.detach()
            for k, x in inputs.items()
        },
        delta_softplus=True,
        backend=backend)
    g = torch.Generator().manual_seed(1)
    cotangent = torch.randn(y.shape, generator=g).to(y.device)
    found, = torch.autograd.grad(y, inputs[frozen], cotangent)
    assert torch.equal(found, wanted[frozen])


@pytest.mark.parametrize('dtype', DTYPES, ids=str)
def test_repeated_runs_are_equal_bit_by_bit(backend, device, dtype):
    inputs = cast(make_inputs(3, 63, 65, 16), dtype, device)
    skip_slow(backend, 3 * 63 * 65 * 16)
    first = run(inputs, backend=backend, delta_softplus=True)
    again = run(inputs, backend=backend, delta_softplus=True)
    assert torch.equal(first[0], again[0])
    for name in inputs:
        assert torch.equal(first[1][name], again[1][name]), name


@pytest.mark.parametrize('reverse', [False, True])
def test_reverse_is_flip_scan_flip(backend, device, reverse):
    inputs = cast(make_inputs(2, 23, 48, 4), torch.float32, device)
    flipped = leaves({
        k: x.flip(1) if k in TOKENS else x
        for k, x in inputs.items()
    })
    options = dict(backend=backend, delta_softplus=True)
    y = selective_scan(**inputs, reverse=reverse, **options)
    back = selective_scan(**flipped, reverse=not reverse, **options)
    assert_close(back.flip(1), y)


@pytest.mark.parametrize('reverse', [False, True])
def test_last_state(backend, device, reverse):
    inputs = make_inputs(2, 21, 8, 4)
    found = selective_scan(
        **cast(inputs, torch.float32, device),
        delta_softplus=True,
        reverse=reverse,
        backend=backend,
        return_last_state=True)
    wanted = selective_scan(
        **inputs,
        delta_softplus=True,
        reverse=reverse,
        backend='torch',
        return_last_state=True)
    assert_close(found[1], wanted[1])
    assert found[1].dtype == torch.float32
    assert found[0].requires_grad and not found[1].requires_grad


def test_nan_is_not_swallowed(backend, device):
    for name in ('u', 'delta', 'A', 'B', 'C', 'D', 'z', 'delta_bias'):
        inputs = cast(make_inputs(1, 5, 8, 4), torch.float32, device)
        inputs[name].data.view(-1)[-1] = float('nan')
        y = selective_scan(**inputs, delta_softplus=True, backend=backend)
        assert y[0, -1].isnan().any(), name


def golden_inputs(case: str, dtype: torch.dtype) -> Dict[str, Tensor]:
    """Read a case, channel-first, into our token-major layout."""
    inputs = golden('selective_scan').under(f'{case}/in/')
    return leaves({k: token_major(k, x).to(dtype) for k, x in inputs.items()})


def token_major(name: str, x: Tensor) -> Tensor:
    """Move the tokens of (b, d, l) or (b, g, n, l) after the batch."""
    if name not in TOKENS and name != 'out' or x.dim() == 2:
        return x
    return x.movedim(-1, 1).contiguous()


@pytest.mark.parametrize('case', CASES)
def test_golden(backend, device, case):
    data = golden('selective_scan')
    inputs = golden_inputs(case, torch.float32)
    if inputs['B'].dim() == 2 and backend not in ('torch', 'mamba_ssm'):
        pytest.skip('only for backends that know this layout')
    check_golden(case, inputs, backend, device)
    assert f'{case}/out/out' in data


def check_golden(case: str,
                 inputs: Dict[str, Tensor],
                 backend: str,
                 device: torch.device,
                 end: str = '') -> None:
    """Compare forward, last state and gradients with the file."""
    data = golden('selective_scan')
    dtype = inputs['u'].dtype
    floor = 0. if end else GOLDEN_FLOOR
    moved = {k: x.detach().to(device) for k, x in inputs.items()}
    moved = leaves(moved)
    y, last = selective_scan(
        **moved,
        delta_softplus=CASES[case]['delta_softplus'],
        backend=backend,
        return_last_state=True)
    cotangent = token_major('out', data[f'{case}/cot/out'])
    found = gradients(y, moved, cotangent.to(device, dtype))
    assert_close(
        y, token_major('out', data[f'{case}/out{end}/out']), floor=floor)
    assert_close(last, data[f'{case}/out{end}/last_state'], floor=floor)
    wanted = data.under(f'{case}/grad{end}/')
    assert wanted.keys() == found.keys()
    for name, gradient in found.items():
        assert_close(
            gradient,
            token_major(name, wanted[name]),
            'gradient',
            floor=floor,
            name=name)


@pytest.mark.parametrize('case', CASES)
def test_golden_float64(case):
    inputs = golden_inputs(case, torch.float64)
    check_golden(case, inputs, 'torch', torch.device('cpu'), '64')


def make_params(d: int, n: int, r: int, k: int = 4) -> ScanParams:
    """Return float64 weights of one direction."""
    make = dict(dtype=torch.float64)
    return ScanParams(
        torch.randn(d, 1, k, **make) * 0.5,
        torch.randn(d, **make) * 0.1,
        torch.randn(r + 2 * n, d, **make) * d**-0.5,
        torch.randn(d, r, **make) * r**-0.5, torch.randn(d, **make),
        -torch.rand(d, n, **make) * 4 - 0.05, torch.randn(d, **make))


def make_mixer(b: int, l: int, d: int, n: int) -> Dict[str, Tensor]:
    """Return float64 inputs of the bidirectional op by flat names."""
    torch.manual_seed(b + 10 * l + 100 * d + n)
    tensors = dict(xz=torch.randn(b, l, 2 * d, dtype=torch.float64))
    for end in ('_f', '_b'):
        params = make_params(d, n, r=3)._asdict()
        tensors.update({k + end: x for k, x in params.items()})
    return tensors


def cast_mixer(tensors: Dict[str, Tensor],
               dtype: torch.dtype,
               device: Optional[torch.device] = None) -> Dict[str, Tensor]:
    """Return leaves; the steps' bias, A and D keep the state's dtype."""
    state = torch.promote_types(dtype, torch.float32)
    in_state = ('dt_proj_bias', 'A_', 'D_')
    return leaves({
        k: t.to(device, state if k.startswith(in_state) else dtype)
        for k, t in tensors.items()
    })


def run_mixer(inputs: Dict[str, Tensor],
              op=None,
              ends: str = '_f_b',
              **kwargs) -> Tuple[Tensor, Dict]:
    """Return the output and all gradients of the bidirectional op."""
    params = {
        end:
        ScanParams(*(inputs[name + end]
                     for name in ScanParams._fields)) if end in ends else None
        for end in ('_f', '_b')
    }
    op = op or bidirectional_selective_scan
    y = op(inputs['xz'], params['_f'], params['_b'], **kwargs)
    g = torch.Generator().manual_seed(1)
    cotangent = torch.randn(y.shape, generator=g).to(y.device, y.dtype)
    used = {k: x for k, x in inputs.items() if k == 'xz' or k[-2:] in ends}
    return y, gradients(y, used, cotangent)


def compare_mixer(found: Tuple[Tensor, Dict],
                  wanted: Tuple[Tensor, Dict],
                  dtype: torch.dtype,
                  backend: str = '') -> None:
    """Compare outputs and gradients after several roundings."""
    floor = NOISE.get(backend, UNDERFLOW)
    assert_close(found[0], wanted[0], 'chain', dtype, name='output')
    for name, gradient in wanted[1].items():
        assert_close(
            found[1][name], gradient, 'chain', dtype, floor, name=name)


@pytest.mark.parametrize('ends', ['_f_b', '_f', '_b'])
@pytest.mark.parametrize('l', [1, 3, 20])
def test_bidirectional_definition_is_its_formula(l, ends):
    inputs = cast_mixer(make_mixer(2, l, 6, 4), torch.float64)
    found = run_mixer(inputs, ends=ends, backend='torch')
    wanted = run_mixer(inputs, naive_bidirectional, ends)
    compare_mixer(found, wanted, torch.float64)


@pytest.mark.parametrize('index', range(len(SHAPES)))
def test_bidirectional_backend_is_the_definition(backend, device, index):
    b, l, d, n = SHAPES[index]
    skip_slow(backend, 2 * b * l * d * n)
    for dtype in DTYPES:
        ends = cyclic(['_f_b', '_f_b', '_f', '_b'], index)
        low = cast_mixer(make_mixer(b, l, d, n), dtype, device)
        exact = {k: x.cpu() for k, x in low.items()}
        exact = cast_mixer(exact, torch.float64)
        found = run_mixer(low, ends=ends, backend=backend)
        assert found[0].dtype == dtype
        wanted = run_mixer(exact, ends=ends, backend='torch')
        compare_mixer(found, wanted, dtype, backend)


def test_bidirectional_without_conv_bias(backend, device):
    inputs = cast_mixer(make_mixer(1, 9, 8, 4), torch.float32, device)
    p, q = (
        ScanParams(*(inputs[k + e] for k in ScanParams._fields))
        for e in ('_f', '_b'))
    zero = torch.zeros_like(p.conv_bias)
    wanted = bidirectional_selective_scan(inputs['xz'],
                                          p._replace(conv_bias=zero), q,
                                          backend)
    found = bidirectional_selective_scan(inputs['xz'],
                                         p._replace(conv_bias=None), q,
                                         backend)
    assert_close(found, wanted)


def test_bidirectional_repeats_bit_by_bit(backend, device):
    skip_slow(backend, 2 * 3 * 63 * 65 * 16)
    inputs = cast_mixer(make_mixer(3, 63, 65, 16), torch.float32, device)
    first = run_mixer(inputs, backend=backend)
    again = run_mixer(inputs, backend=backend)
    assert torch.equal(first[0], again[0])
    for name in inputs:
        assert torch.equal(first[1][name], again[1][name]), name


def test_bidirectional_under_autocast(backend, device):
    inputs = cast_mixer(make_mixer(2, 9, 48, 16), torch.float32, device)
    wanted = run_mixer(inputs, backend=backend)
    with torch.autocast(device.type, torch.bfloat16):
        found = run_mixer(inputs, backend=backend)
    assert found[0].dtype == torch.float32
    for name, gradient in found[1].items():
        assert gradient.dtype == inputs[name].dtype, name
    compare_mixer(found, wanted, torch.bfloat16)


BAD_SCANS = [
    (dict(u=torch.zeros(2, 3)), 'u must have shape (b, l, d)'),
    (dict(u=torch.zeros(2, 0, 4)), 'l >= 1'),
    (dict(A=torch.zeros(4)), 'A must have shape (4, n)'),
    (dict(A=torch.zeros(5, 2)), 'A must have shape (4, 2)'),
    (dict(delta=torch.zeros(2, 3, 5)), 'delta must have shape (2, 3, 4)'),
    (dict(z=torch.zeros(2, 4, 3)), 'z must have shape (2, 3, 4)'),
    (dict(D=torch.zeros(4, 1)), 'D must have shape (4,)'),
    (dict(delta_bias=torch.zeros(3)), 'delta_bias must have shape (4,)'),
    (dict(B=torch.zeros(2, 3, 3)), 'B must have shape (2, 3, 2)'),
    (dict(C=torch.zeros(2, 3)), 'C must have shape (2, 3, 2) or (2, 3, '),
    (dict(C=torch.zeros(2, 3, 3, 2)),
     'C has 3 groups, but 3 does not divide the 4 channels'),
    (dict(B=torch.zeros(2, 3, 0, 2)), 'B has 0 groups, but 0 does not'),
    (dict(C=torch.zeros(2, 3, 2, 5)), 'or (2, 3, 2, 2) or (4, 2), but got'),
    (dict(delta=torch.zeros(2, 3, 4, dtype=torch.int64)),
     'delta must be floating point'),
    (dict(A=torch.zeros(4, 2, dtype=torch.bfloat16)),
     'A must be torch.float32'),
    (dict(D=torch.zeros(4, dtype=torch.float64)), 'D must be torch.float32'),
    (dict(B=torch.zeros(2, 3, 2, device='meta')),
     'B is on meta, but the input is on cpu'),
]


@pytest.mark.parametrize('change,message', BAD_SCANS)
def test_bad_scan(change, message):
    inputs = dict(
        u=torch.zeros(2, 3, 4),
        delta=torch.zeros(2, 3, 4),
        A=torch.zeros(4, 2),
        B=torch.zeros(2, 3, 2),
        C=torch.zeros(2, 3, 2))
    selective_scan(**inputs)
    with pytest.raises(ValueError, match=re.escape(message)):
        selective_scan(**{**inputs, **change})


def test_integer_input_is_refused():
    ones = torch.ones(2, 3, 4, dtype=torch.int64)
    weights = torch.ones(2, 3, 2)
    with pytest.raises(ValueError, match='u must be floating point'):
        selective_scan(ones, ones.float(), -torch.ones(4, 2), weights, weights)


BAD_MIXERS = [
    (dict(xz=torch.zeros(2, 3, 7)), 'xz must have shape (b, l, 2 * d)'),
    (dict(xz=torch.zeros(2, 0, 8)), 'l >= 1'),
    (dict(A=torch.zeros(4)), 'forward.A must have shape (4, n)'),
    (dict(conv_weight=torch.zeros(4, 4)),
     'forward.conv_weight must have shape (4, 1, 4)'),
    (dict(x_proj_weight=torch.zeros(8, 4)),
     'forward.x_proj_weight must have shape (7, 4)'),
    (dict(D=torch.zeros(4, dtype=torch.float64)),
     'forward.D must be torch.float32'),
    (dict(dt_proj_bias=torch.zeros(4, device='meta')),
     'forward.dt_proj_bias is on meta'),
]


@pytest.mark.parametrize('change,message', BAD_MIXERS)
def test_bad_bidirectional(change, message):
    params = make_params(4, 2, r=3)
    params = ScanParams(*(x.float() for x in params))
    xz = change.pop('xz', torch.zeros(2, 3, 8))
    with pytest.raises(ValueError, match=re.escape(message)):
        bidirectional_selective_scan(xz, params._replace(**change), params)
    # The other direction is checked as well.
    if change:
        message = message.replace('forward', 'backward')
        with pytest.raises(ValueError, match=re.escape(message)):
            bidirectional_selective_scan(xz, params, params._replace(**change))


def test_one_direction_at_least():
    with pytest.raises(ValueError, match='one of forward and backward'):
        bidirectional_selective_scan(torch.zeros(1, 2, 4), None, None)
