import pytest
import torch
from common import GOLDEN_FLOOR, assert_close, golden
from mmengine.registry import MODELS as ROOT
from torch import nn
from umt_models import golden_teacher

from mmvideomamba.models.masking import CLIPTeacher, CLIPTower

DATA = 'clip_teacher'
TINY = dict(width=32, num_layers=3, num_heads=4, patch_size=8, out_channels=24)


@pytest.mark.parametrize('case', golden(DATA).config['cases'])
def test_golden(case: str) -> None:
    data = golden(DATA)
    cfg = data.config['cases'][case]
    teacher = golden_teacher(
        data.config['model'],
        data.under('sd/'),
        num_levels=cfg['clip_return_layer'],
        level_interval=cfg.get('clip_return_interval', 1),
        # The multimodal teacher keeps the class token and norms nothing.
        with_cls_token=cfg.get('clip_return_cls', True),
        norm=cfg.get('clip_norm_type', 'none'))
    mask = data['in/tube_mask'] if cfg.get('uses_tube_mask') else None
    found = teacher(data['in/x'], mask)
    for name, value in (('features', found.features), ('attn',
                                                       found.attention)):
        assert_close(
            value,
            data[f'{case}/out/{name}'],
            floor=GOLDEN_FLOOR,
            name=f'{case} {name}')
    if 'return_index' in cfg:
        assert teacher.levels == sorted(cfg['return_index'])


@pytest.mark.parametrize('arch,side,params', [('b16', 224, 86192640),
                                              ('l14', 224, 303966208),
                                              ('l14-336', 336, 304293888)])
def test_published_sizes(arch: str, side: int, params: int) -> None:
    with torch.device('meta'):
        teacher = CLIPTeacher(arch)
    assert teacher.img_size == side
    assert sum(p.numel() for p in teacher.parameters()) == params


def test_frozen_and_in_evaluation_mode() -> None:
    teacher = CLIPTeacher(TINY, img_size=16)
    nn.Sequential(teacher).train()
    assert not any(m.training for m in teacher.modules())
    x = torch.randn(1, 3, 2, 16, 16, requires_grad=True)
    found = teacher(x)
    assert not found.features.requires_grad
    assert not found.attention.requires_grad
    assert not any(p.requires_grad for p in teacher.parameters())


def test_tower_is_trainable_and_the_teacher_takes_its_weights() -> None:
    tower = CLIPTower(TINY, img_size=16)
    x = torch.randn(2, 3, 16, 16)
    feature, = tower(x)
    assert feature.shape == (2, 24)
    feature.square().sum().backward()
    unused = [n for n, p in tower.named_parameters() if p.grad is None]
    assert unused == []
    teacher = CLIPTeacher(
        TINY, img_size=16, num_levels=1, with_cls_token=False, norm='none')
    # Names as saved by a classifier of mmpretrain.
    teacher.load_state_dict({
        **{
            f'backbone.{k}': v
            for k, v in tower.state_dict().items()
        }, 'head.fc.weight': torch.ones(2, 24)
    })
    tokens = tower.embed(x.unsqueeze(2))
    for block in tower.transformer.resblocks:
        tokens, _ = block(tokens)
    wanted = tower.ln_post(tokens[:, 1:]) @ tower.proj
    assert_close(teacher(x.unsqueeze(2)).features[0], wanted)


def test_frames_of_another_size_are_resized() -> None:
    teacher = CLIPTeacher(TINY, img_size=16)
    x = torch.randn(2, 3, 3, 24, 24)
    frames = torch.nn.functional.interpolate(
        x.transpose(1, 2).flatten(0, 1), size=(16, 16), mode='bicubic')
    wanted = teacher(frames.unflatten(0, (2, 3)).transpose(1, 2))
    found = teacher(x)
    assert torch.equal(found.features, wanted.features)
    with pytest.raises(ValueError, match=r'16 x 16 pixels.*\(24, 24\)'):
        CLIPTeacher(TINY, img_size=16, resize=False)(x)


def test_mixed_precision_of_its_own() -> None:
    teacher = CLIPTeacher(TINY, img_size=16, amp_dtype='bfloat16')
    plain = CLIPTeacher(TINY, img_size=16)
    plain.load_state_dict(teacher.state_dict())
    x = torch.randn(2, 3, 2, 16, 16)
    found, wanted = teacher(x), plain(x)
    assert found.features.dtype == torch.bfloat16
    assert_close(found.features, wanted.features, 'chain')
    assert_close(found.attention.float(), wanted.attention, 'chain',
                 torch.bfloat16)


def test_ambient_autocast() -> None:
    teacher = CLIPTeacher(TINY, img_size=16)
    x = torch.randn(2, 3, 2, 16, 16)
    wanted = teacher(x)
    with torch.autocast('cpu', torch.bfloat16):
        found = teacher(x)
    assert found.features.dtype == torch.bfloat16
    assert_close(found.features, wanted.features, 'chain')


def test_compiled() -> None:
    teacher = CLIPTeacher(TINY, img_size=16, compile_cfg=dict(backend='eager'))
    plain = CLIPTeacher(TINY, img_size=16)
    plain.load_state_dict(teacher.state_dict())
    x = torch.randn(2, 3, 2, 16, 16)
    calls = []
    inner = teacher.transformer.resblocks[0].register_forward_hook(
        lambda *_: calls.append(1))
    assert_close(teacher(x).features, plain(x).features)
    assert_close(teacher(x).attention, plain(x).attention)
    inner.remove()


def test_mask_drops_patches() -> None:
    teacher = CLIPTeacher(TINY, img_size=16)
    x = torch.randn(2, 3, 2, 16, 16)
    mask = torch.tensor([[True, False, False, True] * 2] * 2)
    found = teacher(x, mask)
    assert found.features.shape == (1, 2, 5, 24)
    assert found.attention.shape == (4, 2)
    x[..., :8, :8] = 7  # a dropped patch
    assert torch.equal(teacher(x, mask).features, found.features)


@pytest.mark.parametrize('change,text', [
    (dict(arch='b32'), r"arch .*'b16'.*got 'b32'"),
    (dict(arch=dict(width=3)), 'exactly .*num_heads'),
    (dict(arch=dict(TINY, num_heads=5)),
     r'num_heads \(5\) .* divide its width \(32\)'),
    (dict(img_size=20), r'img_size \(20\).*patch_size \(8\)'),
    (dict(act='relu'), "act .*'quick_gelu'.*got 'relu'"),
    (dict(norm='l1'), "norm .*'l2', 'none'.*got 'l1'"),
    (dict(amp_dtype='float8'), "amp_dtype .*got 'float8'"),
    (dict(inflation='left'), "inflation .*got 'left'"),
    (dict(num_levels=4), 'num_levels=4'),
    (dict(num_levels=2, level_interval=0.5), 'level_interval=0.5'),
    (dict(num_levels=0), 'num_levels=0'),
])
def test_bad_arguments(change: dict, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        CLIPTeacher(**{**dict(arch=TINY, img_size=16), **change})


@pytest.mark.parametrize('shape', [(2, 3, 16, 16), (2, 4, 2, 16, 16),
                                   (2, 3, 3, 16, 16)])
def test_bad_clips(shape: tuple) -> None:
    teacher = CLIPTeacher(TINY, img_size=16, tubelet_size=2)
    with pytest.raises(ValueError, match='the teacher expects clips'):
        teacher(torch.zeros(shape))


@pytest.mark.parametrize('mask,text', [
    (torch.zeros(1, 8), 'must be bool'),
    (torch.zeros(1, 4, dtype=torch.bool), r'shape \(1, 8\)'),
    (torch.tensor([[True] + [False] * 7]), 'as many patches in each frame'),
    (torch.ones(1, 8, dtype=torch.bool), 'at least one'),
])
def test_bad_mask(mask: torch.Tensor, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        CLIPTeacher(TINY, img_size=16)(torch.zeros(1, 3, 2, 16, 16), mask)


def test_built_by_its_config_name() -> None:
    teacher = ROOT.build(
        dict(type='mmvideomamba.CLIPTeacher', arch=TINY, img_size=16))
    assert isinstance(teacher, CLIPTeacher)
