"""Tracers, exporters, transforms and counters see the whole backbone."""
import logging

import pytest
import torch
from common import assert_close, small_backbone
from mmengine.analysis import get_model_complexity_info
from torch import fx
from torch._subclasses import FakeTensorMode
from torch.autograd import forward_ad
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils.flop_counter import FlopCounterMode

from mmvideomamba.models import VideoMamba
from mmvideomamba.models.layers import SCAN_ORDERS
from mmvideomamba.ops import dispatch
from mmvideomamba.ops.scan import exported

MODELS = dict(
    clip=dict(),
    image=dict(num_frames=1),
    layer_norm=dict(norm_cfg=dict(type='LN')),
    orders=dict(scan_order='alternating', out_type='featmap'),
    v1=dict(scan_order='spatiotemporal_v1', out_type='raw'),
    overlapping=dict(patch_stride=4, out_type='avg_featmap'))


def backbone(name='clip'):
    return small_backbone(**MODELS[name]).eval()


def clip_of(model, batch=2):
    frames = [model.num_frames] if model.num_frames > 1 else []
    return torch.randn(batch, 3, *frames, 16, 16)


@pytest.mark.parametrize('name', ['clip', 'v1'])
def test_export(name, monkeypatch):
    monkeypatch.setattr(exported, 'CHUNK', 4)
    model = backbone(name)
    x = clip_of(model)
    batch = torch.export.Dim('batch', min=1, max=64)
    program = torch.export.export(model, (x, ), dynamic_shapes=({0: batch}, ))
    for size in (1, 2, 5):
        x = clip_of(model, size)
        assert_close(program.module()(x)[0], model(x)[0], 'chain')


def test_onnx(tmp_path, monkeypatch):
    onnxruntime = pytest.importorskip('onnxruntime')
    pytest.importorskip('onnxscript')
    monkeypatch.setattr(exported, 'CHUNK', 4)
    model, path = backbone(), tmp_path / 'backbone.onnx'
    batch = torch.export.Dim('batch', min=1, max=64)
    program = torch.export.export(
        model, (clip_of(model), ), dynamic_shapes=({
            0: batch
        }, ))
    torch.onnx.export(program, dynamo=True, verbose=False).save(str(path))
    session = onnxruntime.InferenceSession(
        str(path), providers=['CPUExecutionProvider'])
    name = session.get_inputs()[0].name
    for size in (1, 2, 5):
        x = clip_of(model, size)
        found = torch.from_numpy(session.run(None, {name: x.numpy()})[0])
        assert_close(found, model(x)[0], 'chain')


@pytest.mark.parametrize('name', ['clip', 'image', 'orders'])
def test_trace_and_save(name, tmp_path):
    model = backbone(name)
    with torch.no_grad():
        traced = torch.jit.trace(model, clip_of(model))
        traced.save(str(tmp_path / 'traced.pt'))
        loaded = torch.jit.load(str(tmp_path / 'traced.pt'))
        for size in (1, 2, 5):
            x = clip_of(model, size)
            assert_close(loaded(x)[0], model(x)[0], 'chain')


@pytest.mark.parametrize('name', MODELS)
def test_symbolic_trace(name):
    model = backbone(name)
    graph = fx.symbolic_trace(model, concrete_args=dict(mask=None))
    for size in (1, 3):
        x = clip_of(model, size)
        assert_close(graph(x)[0], model(x)[0], 'chain')
    layers = {n.target for n in graph.graph.nodes if n.op == 'call_module'}
    assert {'patch_embed.proj', 'layers.1.mixer.conv1d_b'} <= layers


def test_make_fx():
    model = backbone()
    x = clip_of(model)
    graph = make_fx(lambda x: model(x)[0])(x)
    assert_close(graph(x), model(x)[0], 'chain')


def test_trace_of_a_model_that_trains():
    """The saved graph has gradients as the model has."""
    model = backbone()
    x = clip_of(model)
    traced = torch.jit.trace(model, x)
    for each in (model, traced):
        each(x)[0].square().sum().backward()
        gradients = {k: p.grad.clone() for k, p in model.named_parameters()}
        if each is model:
            wanted = gradients
            model.zero_grad()
    for name, gradient in wanted.items():
        assert_close(gradients[name], gradient, 'gradient', name=name)


@pytest.mark.parametrize('order', SCAN_ORDERS)
def test_fake_and_meta(order):
    kwargs = dict(
        arch=dict(embed_dims=16, num_layers=2),
        img_size=16,
        patch_size=8,
        num_frames=2,
        scan_order=order,
        out_type='raw')
    with FakeTensorMode():
        model = VideoMamba(**kwargs)
        assert model(torch.zeros(3, 3, 2, 16, 16))[0].shape == (3, 9, 16)
    with torch.device('meta'):
        model = VideoMamba(**kwargs)
        assert model(torch.zeros(3, 3, 2, 16, 16))[0].shape == (3, 9, 16)


def products(model, tokens):
    """Multiply-accumulates of all matrix products and convolutions."""
    macs = 0
    for module in model.modules():
        weight = getattr(module, 'weight', None)
        if weight is not None and weight.dim() > 1:
            macs += weight.numel() * tokens
    patches = model.patch_embed.proj.weight.numel()
    return macs - patches  # the class token is not a patch


def test_complexity_of_mmengine():
    model = backbone()
    x = clip_of(model, 1)
    found = get_model_complexity_info(
        model, inputs=(x, ), show_table=False, show_arch=False)
    # A convolution also visits the zeros after the last token.
    assert products(model, 17) <= found['flops'] < 1.1 * products(model, 17)


def test_flop_counter():
    model = backbone()
    x = clip_of(model, 1)
    with FlopCounterMode(display=False) as counter:
        y = model(x)[0]
    assert_close(y, model(x)[0], 'chain')
    found = counter.get_total_flops() / 2
    assert products(model, 17) <= found < 1.1 * products(model, 17)


def test_gradients_of_torch_func():
    model = backbone()
    x = clip_of(model)
    parameters = dict(model.named_parameters())

    def loss(parameters, x):
        y = torch.func.functional_call(model, parameters, (x, ))[0]
        return y.square().sum()

    found = torch.func.grad(loss)(parameters, x)
    loss(parameters, x).backward()
    for name, parameter in parameters.items():
        assert_close(found[name], parameter.grad, 'gradient', name=name)
    # Gradients per sample sum to the gradient of the batch.
    each = torch.func.vmap(
        torch.func.grad(lambda p, x: loss(p, x[None])), (None, 0))(parameters,
                                                                   x)
    for name, gradient in found.items():
        assert each[name].shape[0] == 2
        assert_close(each[name].sum(0), gradient, 'gradient', name=name)


def test_forward_mode():
    model = backbone().double()
    x, tangent = clip_of(model).double(), clip_of(model).double()
    wanted = (model(x + 1e-5 * tangent)[0] -
              model(x - 1e-5 * tangent)[0]) / 2e-5
    with forward_ad.dual_level():
        y = model(forward_ad.make_dual(x, tangent))[0]
        found = forward_ad.unpack_dual(y).tangent
    assert_close(found, wanted, 'gradient', torch.float32)
    transformed = torch.func.jvp(lambda x: model(x)[0], (x, ), (tangent, ))[1]
    assert_close(transformed, wanted, 'gradient', torch.float32)


def test_a_fall_back_is_logged(monkeypatch, caplog):
    monkeypatch.setattr(dispatch, '_logged', set())
    model = backbone()
    x = clip_of(model)
    with caplog.at_level(logging.INFO, dispatch.__name__), torch.no_grad():
        model(x)
        torch.jit.trace(model, x, check_trace=False)
        torch.jit.trace(model, x, check_trace=False)
    lines = [
        r.message for r in caplog.records if 'selective_scan runs' in r.message
        and not r.message.startswith('bidirectional')
    ]
    assert lines[-1:] == [
        'selective_scan runs on backend torch (torch.jit.trace looks on)'
    ]
    assert len(lines) == len(set(lines)) <= 2
