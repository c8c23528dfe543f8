import math

import pytest
import torch
from common import GOLDEN_FLOOR, assert_close, device_of, golden, gradients
from naive_model import naive_mixer

from mmvideomamba.models import BiMambaMixer
from mmvideomamba.models.layers import MIXER_ORDERS

VARIANTS = dict(
    bi=dict(),
    uni=dict(bidirectional=False),
    bi_state8_dtrank6=dict(d_state=8, dt_rank=6))
GOLDEN_CASES = [
    (name, length)
    for name, variant in golden('bimamba_mixer').config['variants'].items()
    for length in variant['lengths']
]


def golden_mixer(variant: str, **kwargs) -> BiMambaMixer:
    data = golden('bimamba_mixer')
    mixer = BiMambaMixer(data.config['d_model'], **VARIANTS[variant], **kwargs)
    mixer.load_state_dict(data.under(f'{variant}/sd/'))
    return mixer


@pytest.mark.parametrize('variant,length', GOLDEN_CASES)
def test_golden(backend, device, variant, length):
    data = golden('bimamba_mixer')
    case = f'{variant}/L{length}/'
    mixer = golden_mixer(variant, backend=backend).to(device)
    x = data[case + 'in/x'].to(device).requires_grad_()
    y = mixer(x)
    assert_close(y, data[case + 'out/y'], floor=GOLDEN_FLOOR)
    inputs = dict(mixer.named_parameters(), x=x)
    found = gradients(y, inputs, data[case + 'cot/y'].to(device))
    wanted = data.under(case + 'grad/')
    assert found.keys() == wanted.keys()
    for name, gradient in wanted.items():
        assert_close(
            found[name], gradient, 'gradient', floor=GOLDEN_FLOOR, name=name)


@pytest.mark.parametrize('variant,length', GOLDEN_CASES)
def test_golden_float64(variant, length):
    data = golden('bimamba_mixer')
    case = f'{variant}/L{length}/'
    mixer = golden_mixer(variant).double()
    assert_close(mixer(data[case + 'in/x'].double()), data[case + 'out64/y'])


def small_mixer(**kwargs) -> BiMambaMixer:
    """Return a float64 mixer with every weight moved from its start."""
    mixer = BiMambaMixer(8, d_state=4, **kwargs).double()
    with torch.no_grad():
        for parameter in mixer.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
    return mixer


@pytest.mark.parametrize('order', MIXER_ORDERS)
def test_orders_against_the_formula(order):
    mixer = small_mixer(scan_order=order)
    x = torch.randn(1, 7, 8, dtype=torch.float64)
    index = [0, 1, 4, 2, 5, 3, 6]
    found = mixer(x, torch.tensor(index))
    assert_close(found, naive_mixer(mixer.state_dict(), x, order, index))


@pytest.mark.parametrize('order', MIXER_ORDERS[1:])
def test_one_index_per_sample(order):
    mixer = small_mixer(scan_order=order)
    x = torch.randn(2, 5, 8, dtype=torch.float64)
    index = torch.tensor([[0, 2, 1, 4, 3], [0, 4, 3, 2, 1]])
    found = mixer(x, index)
    for i in range(2):
        assert_close(found[i:i + 1], mixer(x[i:i + 1], index[i]))


@pytest.mark.parametrize('order', MIXER_ORDERS[1:])
def test_order_without_an_index(order):
    with pytest.raises(ValueError, match=f"'{order}' needs the index"):
        small_mixer(scan_order=order)(torch.zeros(1, 2, 8).double())


@pytest.mark.parametrize('order', MIXER_ORDERS)
def test_one_direction_only(order):
    mixer = small_mixer(scan_order=order, bidirectional=False)
    assert not any('_b' in name for name, _ in mixer.named_parameters())
    x = torch.randn(1, 5, 8, dtype=torch.float64, requires_grad=True)
    mixer(x, torch.arange(5))[0, 2].sum().backward()
    # Later tokens have no influence.
    assert x.grad[0, :3].abs().min() > 0 and not x.grad[0, 3:].any()


def test_class_token_sees_others_only_backwards():
    mixer = small_mixer()
    x = torch.randn(1, 5, 8, dtype=torch.float64, requires_grad=True)
    mixer(x)[0, 0].sum().backward()
    assert x.grad[0, 1:].abs().max() > 0
    one_way = small_mixer(bidirectional=False)
    x.grad = None
    one_way(x)[0, 0].sum().backward()
    assert not x.grad[0, 1:].any() and x.grad[0, 0].any()


def test_start_is_the_published_one():
    mixer = BiMambaMixer(192)
    d = 384
    for name, parameter in mixer.named_parameters():
        value = parameter.detach()
        if name.startswith(
            ('in_proj', 'x_proj')) or name in ('dt_proj.weight',
                                               'dt_proj_b.weight'):
            assert abs(value.std() - 0.02) < 1e-3 and abs(value.mean()) < 2e-3
        elif name in ('dt_proj.bias', 'dt_proj_b.bias'):
            assert not value.any()
        elif name == 'out_proj.weight':
            limit = d**-0.5
            assert 0.99 * limit < value.abs().max() <= limit
        elif name.startswith('conv1d'):
            assert 0.45 < value.abs().max() <= 0.5
        elif name in ('A_log', 'A_b_log'):
            assert_close(value.exp(), torch.arange(1., 17.).expand(d, -1))
        else:
            assert name in ('D', 'D_b') and (value == 1).all()


def test_start_of_the_steps_on_request():
    mixer = BiMambaMixer(192, dt_init_range=(0.001, 0.1))
    for proj in (mixer.dt_proj, mixer.dt_proj_b):
        steps = torch.nn.functional.softplus(proj.bias.detach())
        assert 0.001 * 0.99 < steps.min() and steps.max() < 0.1 * 1.01
        # Log-uniform: half of them below the geometric mean.
        assert 0.4 < (steps < 0.01).float().mean() < 0.6
        limit = 12**-0.5
        assert 0.95 * limit < proj.weight.abs().max() <= limit
    floor = BiMambaMixer(192, dt_init_range=(1e-6, 0.1), dt_init_floor=1e-2)
    steps = torch.nn.functional.softplus(floor.dt_proj.bias.detach())
    assert abs(steps.min() - 1e-2) < 1e-4


def test_options_of_shape():
    mixer = BiMambaMixer(
        20, d_state=3, d_conv=3, expand=3, conv_bias=False, bias=True)
    rank = math.ceil(20 / 16)
    shapes = {k: tuple(v.shape) for k, v in mixer.state_dict().items()}
    assert shapes['in_proj.weight'] == (120, 20)
    assert shapes['in_proj.bias'] == (120, )
    assert shapes['out_proj.bias'] == (20, )
    assert shapes['conv1d_b.weight'] == (60, 1, 3)
    assert 'conv1d.bias' not in shapes
    assert shapes['x_proj.weight'] == (rank + 6, 60)
    assert shapes['A_b_log'] == (60, 3)
    assert mixer(torch.randn(2, 4, 20)).shape == (2, 4, 20)


def test_half_precision_weights_keep_a_float32_state():
    mixer = BiMambaMixer(16).bfloat16()
    params = mixer.direction('_b').params()
    assert params.A.dtype == params.D.dtype == torch.float32
    assert params.dt_proj_bias.dtype == torch.float32
    x = torch.randn(1, 5, 16)
    wanted = BiMambaMixer(16)
    wanted.load_state_dict(mixer.float().state_dict())
    y = mixer.bfloat16()(x.bfloat16())
    assert y.dtype == torch.bfloat16
    assert_close(y, wanted(x.bfloat16().float()), 'chain')


@pytest.mark.parametrize('kwargs,message', [
    (dict(scan_order='diagonal'), "unknown scan_order 'diagonal'"),
    (dict(scan_order='alternating'), "unknown scan_order 'alternating'"),
    (dict(dt_rank='ceil'), "must be 'auto' or a positive int, but got 'ceil'"),
    (dict(dt_rank=0), 'got 0'),
])
def test_bad_arguments(kwargs, message):
    with pytest.raises(ValueError, match=message):
        BiMambaMixer(16, **kwargs)


def test_unknown_backend():
    with pytest.raises(ValueError, match="unknown backend 'cudnn'"):
        BiMambaMixer(16, backend='cudnn')(torch.zeros(1, 2, 16))


def test_named_backend_that_cannot_run():
    device, reason = device_of('mamba_ssm')
    if device is not None:
        pytest.skip('mamba_ssm can run here')
    with pytest.raises(RuntimeError, match='mamba_ssm.*cannot run'):
        BiMambaMixer(16, backend='mamba_ssm')(torch.zeros(1, 2, 16))


def test_storages_of_parameters_can_be_freed():
    """Sharding frees them between calls; an array of numpy would pin them."""
    mixer = BiMambaMixer(8, bias=True, backend='numba')
    with torch.no_grad():
        mixer(torch.randn(1, 5, 8))
    mixer(torch.randn(1, 5, 8)).sum().backward()
    pinned = [
        name for name, p in mixer.named_parameters()
        if not p.untyped_storage().resizable()
    ]
    assert not pinned


def test_weights_are_collected_once_for_both_orders(monkeypatch):
    calls = []
    collect = BiMambaMixer.direction
    monkeypatch.setattr(
        BiMambaMixer, 'direction',
        lambda self, end: calls.append(end) or collect(self, end))
    mixer = BiMambaMixer(16, scan_order='spatiotemporal_v2')
    mixer(torch.randn(2, 4, 16), torch.tensor([0, 2, 1, 3]))
    assert calls == ['', '_b']
