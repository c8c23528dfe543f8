import copy
import itertools
import re

import pytest
import torch
from common import (GOLDEN_FLOOR, assert_close, golden, gradients,
                    small_backbone)
from mmcv.cnn.bricks import DropPath
from mmengine.registry import MODELS as ROOT
from mmengine.registry import init_default_scope
from naive_model import naive_videomamba
from torch import nn

from mmvideomamba.models import VideoMamba
from mmvideomamba.models.layers import SCAN_ORDERS, block_orders

CLASSIFIERS = ('image_classifier', 'image_classifier_overlap',
               'video_classifier', 'video_classifier_tubelet2',
               'video_classifier_layernorm')


def golden_backbone(name: str, **kwargs) -> VideoMamba:
    """Build the model of a golden file, with weights from the file."""
    cfg = golden(name).config['model']
    stride = cfg.get('stride', cfg['patch_size'])
    model = VideoMamba(
        arch=dict(embed_dims=cfg['embed_dim'], num_layers=cfg['depth']),
        img_size=cfg['img_size'],
        patch_size=cfg['patch_size'],
        patch_stride=None if stride == cfg['patch_size'] else stride,
        num_frames=cfg.get('num_frames', 1),
        tubelet_size=cfg.get('kernel_size', 1),
        drop_path_rate=cfg.get('drop_path_rate', 0.1),
        norm_cfg=dict(type='RMSNorm' if cfg.get('rms_norm', True) else 'LN'),
        **kwargs)
    model.load_state_dict(golden(name).under('sd/'))
    return model.eval()


@pytest.mark.parametrize('name', CLASSIFIERS)
def test_golden(backend, device, name):
    data = golden(name)
    model = golden_backbone(name, mixer_cfg=dict(backend=backend)).to(device)
    leaving = {}
    for i, layer in enumerate(model.layers):
        layer.register_forward_hook(
            lambda _, __, out, i=i: leaving.update({i: out}))
    head = {
        f'head.{k}': data[f'sd/head.{k}'].to(device).requires_grad_()
        for k in ('weight', 'bias')
    }
    x = data['in/x'].to(device).requires_grad_()
    feature, = model(x)
    logits = feature @ head['head.weight'].T + head['head.bias']
    assert_close(feature, data['out/feature'], floor=GOLDEN_FLOOR)
    assert_close(logits, data['out/logits'], floor=GOLDEN_FLOOR)
    for i, out in leaving.items():
        for part, value in zip(('hidden', 'residual'), out):
            key = f'mid/block{i}_{part}'
            if key in data:
                assert_close(value, data[key], floor=GOLDEN_FLOOR, name=key)
    objective = ((logits * data['cot/logits'].to(device)).sum() +
                 (feature * data['cot/feature'].to(device)).sum())
    objective.backward()
    inputs = dict(model.named_parameters(), x=x, **head)
    for key, wanted in data.under('grad/').items():
        gradient = inputs[key].grad
        if gradient is None:
            assert not wanted.any(), key
            continue
        # 2-D patch kernels lack the time axis.
        assert_close(
            gradient.reshape(wanted.shape),
            wanted,
            'gradient',
            floor=GOLDEN_FLOOR,
            name=key)


def test_golden_stochastic_depth(monkeypatch):
    data = golden('drop_path_train')
    model = golden_backbone('drop_path_train')
    weight, bias = data['sd/head.weight'], data['sd/head.bias']

    def logits():
        return model(data['in/x'])[-1] @ weight.T + bias

    assert_close(logits(), data['out/logits_eval'], floor=GOLDEN_FLOOR)
    draws = iter(data['draw/uniform'])

    def rand(shape, dtype, **kwargs):
        """One row for each drop, with more columns than samples."""
        rows = [next(draws) for _ in range(shape[0])]
        return torch.stack([
            nn.functional.pad(row.to(dtype), (0, shape[1] - len(row)))
            for row in rows
        ])

    monkeypatch.setattr(torch, 'rand', rand)
    model.train()
    assert_close(logits(), data['out/logits_train'], floor=GOLDEN_FLOOR)
    assert not list(draws)
    # Layers with hooks are called, and each layer draws its own numbers.
    draws = iter(data['draw/uniform'])
    monkeypatch.setattr(torch, 'rand',
                        lambda shape, **kwargs: next(draws).view(shape))
    for module in model.modules():
        if isinstance(module, DropPath):
            module.register_forward_hook(lambda *_: None)
    assert_close(logits(), data['out/logits_train'], floor=GOLDEN_FLOOR)
    assert not list(draws)


def test_stochastic_depth_rates():
    model = VideoMamba(
        arch=dict(embed_dims=16, num_layers=5), drop_path_rate=0.4)
    rates = [layer.drop_path.drop_prob for layer in model.layers]
    assert rates == pytest.approx([0, 0, .1, .2, .3])
    assert model.drop_path.drop_prob == pytest.approx(.4)
    assert isinstance(model.drop_path, DropPath)


def some_mask(model: VideoMamba, batch: int = 2) -> torch.Tensor:
    """Drop other tokens in each sample, as many in both."""
    t, h, w = model.grid
    mask = torch.zeros(batch, t * h * w, dtype=torch.bool)
    for row in mask:
        row[torch.randperm(len(row))[:len(row) // 3]] = True
    return mask


def clips(model: VideoMamba, batch: int = 2) -> torch.Tensor:
    parameter = model.cls_token
    return torch.randn(
        batch, 3, model.num_frames, *model.img_size, dtype=parameter.dtype)


KINDS = [
    dict(num_frames=3),
    dict(num_frames=1),
    dict(num_frames=4, tubelet_size=2),
    dict(num_frames=2, norm_cfg=dict(type='LN')),
    dict(num_frames=2, patch_stride=4),
    dict(num_frames=2, img_size=(16, 24)),
]


@pytest.mark.parametrize('masked', [False, True])
@pytest.mark.parametrize(
    'kind,order', [(kind, 'spatial_first') for kind in KINDS[1:]] +
    [(KINDS[0], order)
     for order in SCAN_ORDERS] + [(KINDS[2], 'temporal_first'),
                                  (KINDS[5], 'alternating')],
    ids=str)
def test_formula(kind, order, masked):
    model = small_backbone(
        scan_order=order, out_type='raw', out_indices=(0, 1), **kind).double()
    x = clips(model)
    mask = some_mask(model) if masked else None
    found = model(x, mask)
    wanted = naive_videomamba(model.state_dict(), x, block_orders(order, 2),
                              model.patch_embed.proj.stride[-1], mask)
    assert len(found) == 2
    for a, b in zip(found, wanted):
        assert_close(a, b)


def test_image_is_a_video_of_one_frame():
    image = small_backbone(num_frames=1)
    video = small_backbone(num_frames=4)
    weights = image.state_dict()
    weights['temporal_pos_embedding'] = video.temporal_pos_embedding.detach()
    video.load_state_dict(weights)
    x = torch.randn(2, 3, 16, 16)
    wanted = image(x)[0]
    assert torch.equal(image(x.unsqueeze(2))[0], wanted)
    # A model of clips takes an image as well.
    assert torch.equal(video(x)[0], wanted)
    assert torch.equal(video(x.unsqueeze(2))[0], wanted)


@pytest.mark.parametrize('order', SCAN_ORDERS)
def test_mask_that_drops_nothing(order):
    model = small_backbone(scan_order=order, out_type='raw')
    x = clips(model)
    mask = torch.zeros(2, 16, dtype=torch.bool)
    assert torch.equal(model(x, mask)[0], model(x)[0])


@pytest.mark.parametrize('order', SCAN_ORDERS)
def test_dropped_pixels_have_no_influence(order):
    model = small_backbone(scan_order=order)
    x = clips(model)
    mask = some_mask(model)
    wanted = model(x, mask)[0]
    hidden = mask.view(2, 1, 4, 2, 2).repeat_interleave(8, 3)
    hidden = hidden.repeat_interleave(8, 4)
    x = torch.where(hidden, 9., x).requires_grad_()
    found = model(x, mask)[0]
    assert torch.equal(found, wanted)
    found.sum().backward()
    assert not x.grad[hidden.expand_as(x)].any()
    assert x.grad[~hidden.expand_as(x)].any()


def test_frame_order_matters():
    model = small_backbone()
    x = clips(model)
    assert (model(x)[0] - model(x.flip(2))[0]).abs().max() > 1e-3


@pytest.mark.parametrize('out_type,shape', [('cls_token', (2, 16)),
                                            ('avg_featmap', (2, 16)),
                                            ('featmap', (2, 16, 4, 2, 3)),
                                            ('raw', (2, 25, 16))])
def test_out_types(out_type, shape):
    kind = dict(img_size=(16, 24), out_indices=(0, 1))
    model = small_backbone(out_type=out_type, **kind)
    raw = small_backbone(out_type='raw', **kind)
    raw.load_state_dict(model.state_dict())
    x = clips(model)
    for found, tokens in zip(model(x), raw(x)):
        patches = tokens[:, 1:]
        wanted = dict(
            cls_token=tokens[:, 0],
            avg_featmap=patches.mean(1),
            raw=tokens,
            featmap=patches.view(2, 4, 2, 3, 16).permute(0, 4, 1, 2, 3))
        assert found.shape == shape
        assert torch.equal(found, wanted[out_type])


def test_featmap_of_an_image_has_no_time():
    model = small_backbone(num_frames=1, out_type='featmap')
    assert model(torch.randn(2, 3, 16, 16))[0].shape == (2, 16, 2, 2)


def test_average_of_visible_tokens():
    model = small_backbone(out_type='avg_featmap')
    raw = small_backbone(out_type='raw')
    raw.load_state_dict(model.state_dict())
    x, mask = clips(model), some_mask(model)
    assert torch.equal(model(x, mask)[0], raw(x, mask)[0][:, 1:].mean(1))


@pytest.mark.parametrize('indices,wanted', [(-1, [2]), (0, [0]),
                                            ((0, 2), [0, 2]),
                                            ([-1, -3], [0, 2]), ((1, ), [1])])
def test_out_indices(indices, wanted):
    arch = dict(embed_dims=16, num_layers=3)
    model = small_backbone(arch=arch, out_indices=indices)
    every = small_backbone(arch=arch, out_indices=range(3))
    every.load_state_dict(model.state_dict())
    x = clips(model)
    outs, all_outs = model(x), every(x)
    assert isinstance(outs, tuple) and model.out_indices == wanted
    assert len(outs) == len(wanted)
    for out, i in zip(outs, wanted):
        assert torch.equal(out, all_outs[i])


def deep(**kwargs) -> VideoMamba:
    return small_backbone(
        arch=dict(embed_dims=16, num_layers=3),
        **{
            'out_type': 'raw',
            **kwargs
        })


@pytest.mark.parametrize('norm', ['RMSNorm', 'LN'])
@pytest.mark.parametrize('masked', [False, True])
@pytest.mark.parametrize('indices,streams', [((), -2), ((), -1), ((0, ), 1),
                                             ((2, ), (0, 1, 2)), ((1, 2), -3),
                                             ((0, 1), (1, ))])
def test_stream_indices(indices, streams, masked, norm):
    """The stream is taken before the next block, or at the trunk's end."""
    cfg = dict(norm_cfg=dict(type=norm))
    model = deep(out_indices=indices, stream_indices=streams, **cfg)
    every = deep(out_indices=range(3), **cfg)
    every.load_state_dict(model.state_dict())
    entries = []
    for layer in every.layers[1:]:
        layer.register_forward_hook(
            lambda _, args, out: entries.append(out[1]))
    every.norm_f.register_forward_hook(lambda _, args, out: entries.append(out[
        1]) if len(args) == 2 else None)
    x = clips(model)
    mask = some_mask(model) if masked else None
    normed = every(x, mask)
    outs = model(x, mask)
    wanted = [normed[i] for i in model.out_indices]
    assert len(outs) == len(wanted) + len(model.stream_indices)
    for out, value in zip(outs, wanted):
        assert torch.equal(out, value)
    for out, i in zip(outs[len(wanted):], model.stream_indices):
        assert out.dtype == torch.float32
        assert_close(every.norm_f(out)[0], normed[i])
        assert_close(out, entries[i])


def test_blocks_that_nobody_asks_for_do_not_run():
    for cfg, count in ((dict(), 3), (dict(out_indices=0), 1),
                       (dict(out_indices=(), stream_indices=-2), 2)):
        model = deep(**cfg)
        calls = []
        for layer in model.layers:
            layer.register_forward_hook(lambda *_: calls.append(1))
        model(clips(model))
        assert len(calls) == count


def test_stream_drops_the_paths_that_the_next_block_would():
    cfg = dict(drop_path_rate=0.5, out_type='raw')
    model = deep(out_indices=(), stream_indices=-2, **cfg).train()
    whole = deep(**cfg).train()
    whole.load_state_dict(model.state_dict())
    entered = []
    whole.layers[2].register_forward_hook(
        lambda _, args, out: entered.append(out[1]))
    x = clips(model, 16)
    torch.manual_seed(1)
    whole(x)
    torch.manual_seed(1)
    assert torch.equal(model(x)[0], entered[0])


def test_half_precision_stream_is_float32():
    model = deep(out_indices=(), stream_indices=-1)
    with torch.autocast('cpu', torch.bfloat16):
        assert model(clips(model))[0].dtype == torch.float32


PARAMETERS = [
    # arch, frames, side, classes, published
    ('tiny', 1, 224, 1000, 7148008),
    ('small', 1, 224, 1000, 25796584),
    ('middle', 1, 224, 1000, 74217448),
    ('base', 1, 224, 1000, 97598440),
    ('tiny', 1, 448, 1000, 7260904),
    ('small', 1, 448, 1000, 26022376),
    ('middle', 1, 448, 1000, 74556136),
    ('tiny', 1, 576, 1000, 7359208),
    ('small', 1, 576, 1000, 26218984),
    ('middle', 1, 576, 1000, 74851048),
    ('tiny', 8, 224, 400, 7033744),
    ('tiny', 16, 224, 400, 7035280),
    ('tiny', 32, 224, 400, 7038352),
    ('tiny', 64, 224, 400, 7044496),
    ('tiny', 64, 384, 400, 7117456),
    ('small', 8, 224, 400, 25568656),
    ('small', 16, 224, 400, 25571728),
    ('small', 32, 224, 400, 25577872),
    ('small', 64, 224, 400, 25590160),
    ('small', 64, 384, 400, 25736080),
    ('middle', 8, 224, 400, 73875856),
    ('middle', 16, 224, 400, 73880464),
    ('middle', 32, 224, 400, 73889680),
    ('middle', 64, 224, 400, 73908112),
    ('middle', 64, 384, 400, 74126992),
    ('tiny', 8, 224, 174, 6990126),
]


@pytest.fixture
def no_init(monkeypatch):
    """Leave parameters as allocated: only the number of weights counts."""
    for name in ('normal_', 'uniform_', 'trunc_normal_', 'kaiming_uniform_'):
        monkeypatch.setattr(torch.nn.init, name, lambda x, *_, **__: x)


@pytest.mark.parametrize('arch,frames,side,classes,wanted', PARAMETERS)
def test_number_of_parameters(no_init, arch, frames, side, classes, wanted):
    model = VideoMamba(arch=arch, img_size=side, num_frames=frames)
    found = sum(p.numel() for p in model.parameters())
    assert found + (model.embed_dims + 1) * classes == wanted


def test_names_and_shapes_are_the_published_ones(no_init):
    video = {
        k: tuple(v.shape)
        for k, v in VideoMamba('tiny', num_frames=8).state_dict().items()
    }
    block = {
        'mixer.A_log': (384, 16), 'mixer.A_b_log': (384, 16),
        'mixer.D': (384, ), 'mixer.D_b': (384, ),
        'mixer.in_proj.weight': (768, 192),
        'mixer.out_proj.weight': (192, 384), 'norm.weight': (192, )
    }  # yapf: disable
    for end in ('', '_b'):
        block.update({
            f'mixer.conv1d{end}.weight': (384, 1, 4),
            f'mixer.conv1d{end}.bias': (384, ),
            f'mixer.x_proj{end}.weight': (44, 384),
            f'mixer.dt_proj{end}.weight': (384, 12),
            f'mixer.dt_proj{end}.bias': (384, )
        })
    wanted = {
        f'layers.{i}.{k}': shape
        for i, (k, shape) in itertools.product(range(24), block.items())
    }
    wanted.update({
        'cls_token': (1, 1, 192),
        'pos_embed': (1, 197, 192),
        'temporal_pos_embedding': (1, 8, 192),
        'patch_embed.proj.weight': (192, 3, 1, 16, 16),
        'patch_embed.proj.bias': (192, ),
        'norm_f.weight': (192, )
    })
    assert video == wanted
    # With the head's two, 416 for a video and 415 for an image.
    assert len(video) == 414
    assert len(VideoMamba('tiny', num_frames=1).state_dict()) == 413


def test_start_is_the_published_one():
    depth = 4
    model = VideoMamba(
        arch=dict(embed_dims=192, num_layers=depth), tubelet_size=2)
    model.init_weights()
    assert not model.cls_token.any()
    assert not model.temporal_pos_embedding.any()
    assert abs(model.pos_embed.std() - 0.02) < 5e-4
    assert model.pos_embed.abs().max() > 0.06
    limit = (3 * 2 * 16 * 16)**-0.5
    for parameter in model.patch_embed.parameters():
        assert 0.9 * limit < parameter.abs().max() <= limit
    limit = 384**-0.5 / depth**0.5
    for layer in model.layers:
        weight = layer.mixer.out_proj.weight
        assert 0.99 * limit < weight.abs().max() <= limit
        assert abs(weight.std() - limit / 3**0.5) < 0.02 * limit
        assert abs(layer.mixer.in_proj.weight.std() - 0.02) < 5e-4
        assert not layer.mixer.dt_proj.bias.any()
        assert (layer.norm.weight == 1).all()
    assert (model.norm_f.weight == 1).all()


def test_checkpointing_changes_no_gradient():
    cfg = dict(arch=dict(embed_dims=16, num_layers=3))
    plain = small_backbone(**cfg)
    x = clips(plain)
    wanted = gradients(
        plain(x)[0], dict(plain.named_parameters()), torch.ones(2, 16))
    for layers in (1, 3):
        model = small_backbone(checkpoint_layers=layers, **cfg).train()
        model.load_state_dict(plain.state_dict())
        calls = []
        for i, layer in enumerate(model.layers):
            layer.mixer.register_forward_pre_hook(
                lambda *_, i=i: calls.append(i))
        found = gradients(
            model(x)[0], dict(model.named_parameters()), torch.ones(2, 16))
        recomputed = sorted(calls[3:])
        assert recomputed == list(range(layers))
        for name in wanted:
            assert torch.equal(found[name], wanted[name]), name


def test_checkpointing_repeats_the_dropped_paths():
    cfg = dict(arch=dict(embed_dims=16, num_layers=3), drop_path_rate=0.5)
    plain, model = small_backbone(**cfg), small_backbone(
        checkpoint_layers=3, **cfg)
    model.load_state_dict(plain.state_dict())
    x = clips(plain, 8)
    found = []
    for m in (plain, model):
        torch.manual_seed(3)
        found.append(
            gradients(m.train()(x)[0], dict(m.named_parameters()),
                      torch.ones(8, 16)))
    for name in found[0]:
        assert torch.equal(found[0][name], found[1][name]), name


@pytest.mark.parametrize('norm', ['RMSNorm', 'LN'])
def test_autocast(norm):
    model = small_backbone(out_indices=(0, 1), norm_cfg=dict(type=norm))
    x = clips(model)
    streams = []
    for layer in model.layers:
        layer.register_forward_hook(lambda *args: streams.append(args[2]))
    wanted = model(x)
    streams.clear()
    with torch.autocast('cpu', torch.bfloat16):
        found = model(x)
        found[1].float().square().sum().backward()
    assert [s[1].dtype for s in streams] == [torch.float32] * 2
    assert [s[0].dtype for s in streams] == [torch.bfloat16] * 2
    for a, b in zip(found, wanted):
        assert a.dtype == torch.bfloat16
        assert_close(a, b, 'chain')
    for name, parameter in model.named_parameters():
        assert parameter.grad.dtype == torch.float32, name
        assert parameter.grad.isfinite().all(), name


def test_half_precision_model():
    model = small_backbone(out_type='raw')
    x = clips(model)
    wanted = model(x)[0]
    found = model.bfloat16()(x.bfloat16())[0]
    assert found.dtype == torch.bfloat16
    assert_close(found, wanted, 'chain')


def test_float64_model():
    model = small_backbone()
    x = clips(model)
    wanted = model(x)[0]
    found = model.double()(x.double())[0]
    assert found.dtype == torch.float64
    assert_close(wanted, found, 'chain')


def test_copies_are_independent():
    model = small_backbone()
    copied = copy.deepcopy(model)
    x = clips(model)
    assert torch.equal(copied(x)[0], model(x)[0])
    other = small_backbone(num_frames=2)
    # The copy's hook fits to the copy, not to the original.
    copied.load_state_dict(other.state_dict())
    assert torch.equal(copied.cls_token, other.cls_token)
    assert copied.temporal_pos_embedding.shape[1] == 4
    assert not torch.equal(model.cls_token, other.cls_token)


def test_state_dict_round_trip():
    model, other = small_backbone(), small_backbone()
    x = clips(model)
    assert not torch.equal(model(x)[0], other(x)[0])
    result = other.load_state_dict(model.state_dict())
    assert not result.missing_keys and not result.unexpected_keys
    assert torch.equal(model(x)[0], other(x)[0])


def test_token_dropout():
    model = small_backbone(drop_rate=0.5, drop_path_rate=0.)
    x = clips(model)
    assert torch.equal(model.eval()(x)[0], model(x)[0])
    model.train()
    assert not torch.equal(model(x)[0], model(x)[0])


def test_empty_batch():
    model = small_backbone(out_type='raw')
    x = torch.zeros(0, 3, 4, 16, 16)
    assert model(x)[0].shape == (0, 17, 16)
    mask = torch.zeros(0, 16, dtype=torch.bool)
    assert model(x, mask)[0].shape[::2] == (0, 16)


@pytest.mark.parametrize('scope', ['mmaction', 'mmpretrain', 'mmengine'])
def test_built_by_its_config_name(scope):
    init_default_scope(scope)
    model = ROOT.build(
        dict(
            type='mmvideomamba.VideoMamba',
            arch=dict(embed_dims=16, num_layers=1)))
    assert isinstance(model, VideoMamba)


def test_layer_depth():
    model = small_backbone()
    wanted = {
        'cls_token': 0, 'pos_embed': 0, 'temporal_pos_embedding': 0,
        'patch_embed.proj.weight': 0, 'layers.0.norm.weight': 1,
        'layers.1.mixer.A_log': 2, 'norm_f.weight': 3
    }  # yapf: disable
    for name, depth in wanted.items():
        assert model.get_layer_depth(name) == (depth, 4)
        assert model.get_layer_depth(f'backbone.{name}',
                                     'backbone.') == (depth, 4)
    assert model.get_layer_depth('head.fc.weight', 'backbone.') == (3, 4)


def fixed_weights(model: VideoMamba) -> None:
    """Fill all weights from a formula, independent of any generator."""
    for i, parameter in enumerate(model.parameters()):
        wave = torch.sin(torch.arange(parameter.numel()) * 0.37 + i).view(
            parameter.shape)
        parameter.data.copy_(0.5 * wave + (parameter.dim() == 1))


# The first four channels of the class token; checked with the formula above.
RECORDED = dict(
    spatial_first=[0.007366, -0.852627, -1.543029, -1.482558],
    temporal_first=[0.034623, -0.828764, -1.540524, -1.511385],
    spatiotemporal_v1=[0.034569, -0.828813, -1.540530, -1.511328],
    spatiotemporal_v2=[0.020480, -0.841271, -1.542089, -1.496772])


@pytest.mark.parametrize('order', RECORDED)
def test_recorded_value(backend, device, order):
    model = VideoMamba(
        arch=dict(embed_dims=16, num_layers=3),
        img_size=(16, 24),
        patch_size=8,
        num_frames=4,
        tubelet_size=2,
        scan_order=order,
        mixer_cfg=dict(backend=backend)).eval()
    fixed_weights(model)
    x = torch.cos(torch.arange(3 * 4 * 16 * 24) * 0.11)
    found = model.to(device)(x.view(1, 3, 4, 16, 24).to(device))[0][0, :4]
    assert_close(found, torch.tensor(RECORDED[order]))


BAD_ARGUMENTS = [
    (dict(arch='huge'), "unknown arch 'huge'; choose one of ['tiny'"),
    (dict(arch=dict(embed_dims=16)), 'exactly embed_dims and num_layers'),
    (dict(arch=dict(embed_dims=16, num_layers=0)), "'num_layers': 0"),
    (dict(arch=dict(embed_dims=16, num_layers=2, depth=3)), "'depth': 3"),
    (dict(img_size=20), 'img_size (20) must be a multiple of patch_size (8)'),
    (dict(img_size=(16, 20)), 'img_size (20) must be a multiple'),
    (dict(img_size=4, patch_stride=2), 'img_size (4) is smaller than'),
    (dict(img_size=(16, 16, 16)), 'img_size'),
    (dict(num_frames=5, tubelet_size=2),
     'num_frames (5) must be a multiple of tubelet_size (2)'),
    (dict(num_frames=0), 'num_frames (0)'),
    (dict(tubelet_size=0), 'tubelet_size (0)'),
    (dict(patch_size=0), 'patch_size (0)'),
    (dict(patch_stride=0), 'patch_stride (0)'),
    (dict(patch_stride=-4), 'patch_stride (-4)'),
    (dict(drop_path_rate=1.5), 'drop_path_rate'),
    (dict(out_type='tokens'), "unknown out_type 'tokens'; choose one of"),
    (dict(out_indices=2), 'out_indices must lie in [-2, 2), but got [2]'),
    (dict(out_indices=(-3, )), 'but got [-3]'),
    (dict(out_indices=()), 'but got []'),
    (dict(out_indices=(), stream_indices=()), 'but got [] for both'),
    (dict(stream_indices=2), 'stream_indices must lie in [-2, 2), but got'),
    (dict(scan_order='zigzag'), "unknown scan_order 'zigzag'"),
    (dict(norm_cfg=dict(type='BN')), "unknown type 'BN'"),
    (dict(inflation='first'), "but got 'first'"),
    (dict(mixer_cfg=dict(dt_rank=-1)), 'got -1'),
]


@pytest.mark.parametrize('change,message', BAD_ARGUMENTS, ids=str)
def test_bad_arguments(change, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        small_backbone(**change)


BAD_INPUTS = [
    ((2, 4, 4, 16, 16), 'must have shape (b, 3, 4, 16, 16)'),
    ((2, 1, 16, 16), 'but got (2, 1, 1, 16, 16)'),
    ((2, 3, 4, 16, 8), 'but got (2, 3, 4, 16, 8)'),
    ((3, 4, 16), '(b, channels, h, w) for an image, but got (3, 4, 16)'),
    ((1, 2, 3, 4, 16, 16), 'but got (1, 2, 3, 4, 16, 16)'),
    ((2, 3, 8, 16, 16), 'the clip has 8 frames, but num_frames is 4'),
    ((2, 3, 2, 16, 16), 'the clip has 2 frames'),
]


@pytest.mark.parametrize('shape,message', BAD_INPUTS, ids=str)
def test_bad_inputs(shape, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        small_backbone()(torch.zeros(shape))


def test_other_number_of_channels():
    model = small_backbone(in_channels=2)
    assert model(torch.zeros(1, 2, 4, 16, 16))[0].shape == (1, 16)
    with pytest.raises(ValueError, match=re.escape('(b, 2, 4, 16, 16)')):
        model(torch.zeros(1, 3, 4, 16, 16))


def mask_of(*rows: str) -> torch.Tensor:
    """Read masks from strings, x for dropped."""
    return torch.tensor([[c == 'x' for c in row] for row in rows])


BAD_MASKS = [
    (mask_of('xx' + '.' * 14, 'x' + '.' * 15),
     'every sample must keep the same number of tokens, but the mask keeps '
     '[14, 15]'),
    (mask_of('x' * 16, 'x' * 16), 'the mask drops every token'),
    (mask_of('.' * 16,
             '.' * 16).float(), 'mask must be bool of shape (2, 16)'),
    (mask_of('.' * 16, '.' * 16).long(), 'but is torch.int64'),
    (mask_of('.' * 17, '.' * 17), 'of shape (2, 17)'),
    (mask_of('.' * 16), 'of shape (1, 16)'),
]


@pytest.mark.parametrize('mask,message', BAD_MASKS)
def test_bad_masks(mask, message):
    model = small_backbone()
    with pytest.raises(ValueError, match=re.escape(message)):
        model(clips(model), mask)


def test_featmap_with_a_mask():
    model = small_backbone(out_type='featmap')
    with pytest.raises(ValueError, match="'featmap' cannot leave tokens out"):
        model(clips(model), some_mask(model))


def test_backend_that_cannot_run():
    model = small_backbone(mixer_cfg=dict(backend='numba')).double()
    with pytest.raises(RuntimeError, match="'numba' cannot run"):
        model(clips(model))


def test_unknown_backend():
    model = small_backbone(mixer_cfg=dict(backend='cudnn'))
    with pytest.raises(ValueError, match="unknown backend 'cudnn'"):
        model(clips(model))


def test_sizes_as_configs_write_them():
    # --cfg-options makes lists of sequences.
    model = small_backbone(img_size=[16, 24], out_indices=[1])
    assert model(torch.zeros(1, 3, 4, 16, 24))[0].shape == (1, 16)


@pytest.mark.parametrize('kind', [*KINDS, dict(frozen_stages=1)], ids=str)
def test_built_without_memory(kind):
    with torch.device('meta'):
        model = VideoMamba(
            arch=dict(embed_dims=16, num_layers=2),
            **{
                **dict(img_size=16, patch_size=8, out_type='raw'),
                **kind
            })
        found, = model(clips(model))
    t, h, w = model.grid
    assert found.device.type == 'meta'
    assert found.shape == (2, 1 + t * h * w, 16)
    real = VideoMamba(
        arch=dict(embed_dims=16, num_layers=2),
        **{
            **dict(img_size=16, patch_size=8),
            **kind
        })
    model = model.to_empty(device='cpu')
    model.load_state_dict(real.state_dict())
    x = clips(real)
    assert_close(model.eval()(x)[0][:, 0], real.eval()(x)[0])
