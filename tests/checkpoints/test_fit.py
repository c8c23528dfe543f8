import argparse
import re

import pytest
import torch
from common import golden, official_files, official_weights, small_backbone
from mmengine.runner import load_checkpoint

from mmvideomamba.checkpoints import log_changes
from mmvideomamba.models import VideoMamba

CASES = golden('checkpoint_adaptation').config['cases']
KINDS = tuple(official_files(small_backbone()))


def bare(**kwargs):
    """Return an untrained backbone of the size of ``small_backbone``."""
    small = dict(
        arch=dict(embed_dims=16, num_layers=2),
        img_size=16,
        patch_size=8,
        num_frames=4)
    return VideoMamba(**{**small, **kwargs}).eval()


def same(model, other):
    found, wanted = model.state_dict(), other.state_dict()
    return found.keys() == wanted.keys() and all(
        torch.equal(found[k], wanted[k]) for k in wanted)


@pytest.mark.parametrize('case', [c for c in CASES if 'pos_embed' in c])
def test_golden_spatial(case):
    data = golden('checkpoint_adaptation')
    source = data[f'{case}/in/pos_embed']
    model = VideoMamba(
        arch=dict(embed_dims=source.shape[-1], num_layers=1),
        img_size=2 * CASES[case]['target_grid'],
        patch_size=2)
    model.load_state_dict({**model.state_dict(), 'pos_embed': source})
    error = model.pos_embed.data - data[f'{case}/out/pos_embed']
    assert error.abs().max() <= 1e-6


@pytest.mark.parametrize('case', [c for c in CASES if 'temporal' in c])
def test_golden_temporal(case):
    data = golden('checkpoint_adaptation')
    key = 'temporal_pos_embedding'
    source = data[f'{case}/in/{key}']
    model = VideoMamba(
        arch=dict(embed_dims=source.shape[-1], num_layers=1),
        img_size=16,
        num_frames=CASES[case]['new_frames'],
        tubelet_size=CASES[case]['tubelet'])
    model.load_state_dict({**model.state_dict(), key: source})
    error = model.temporal_pos_embedding.data - data[f'{case}/out/{key}']
    assert error.abs().max() <= 1e-6


@pytest.mark.parametrize('case', [c for c in CASES if 'inflate' in c])
def test_golden_inflation(case):
    data = golden('checkpoint_adaptation')
    key = 'patch_embed.proj.weight'
    source, wanted = (
        data[f'{case}/{k}'] for k in ('in/weight2d', 'out/weight3d'))
    model = VideoMamba(
        arch=dict(embed_dims=5, num_layers=1),
        img_size=4,
        patch_size=4,
        num_frames=wanted.shape[2],
        tubelet_size=wanted.shape[2],
        inflation='center' if CASES[case]['center'] else 'average')
    model.load_state_dict({**model.state_dict(), key: source})
    assert torch.equal(model.patch_embed.proj.weight.data, wanted)


@pytest.mark.parametrize('prefix', ['', 'backbone.'])
def test_golden_image_to_video(prefix):
    data = golden('checkpoint_adaptation')
    wanted = data.under('image_to_video/out/')
    depth = 1 + max(
        int(k.split('.')[1]) for k in wanted if k.startswith('layers'))
    model = VideoMamba(
        arch=dict(embed_dims=16, num_layers=depth),
        img_size=16,
        patch_size=8,
        num_frames=8,
        tubelet_size=2)
    torch.nn.init.ones_(model.temporal_pos_embedding)
    model.init_weights()
    source = data.under('image_to_video/in/')
    model.load_state_dict({
        prefix + k: v
        for k, v in source.items()
    },
                          strict=False)
    found = model.state_dict()
    assert wanted.keys() <= found.keys()
    for name, value in wanted.items():
        assert torch.equal(found[name], value), name
    assert found.keys() - wanted.keys() == {'temporal_pos_embedding'}


@pytest.mark.parametrize('kind', KINDS)
def test_every_kind_of_file(tmp_path, kind):
    source = small_backbone()
    path = str(tmp_path / 'file.pth')
    torch.save(official_files(source)[kind], path)
    model = bare(init_cfg=dict(type='Pretrained', checkpoint=path))
    assert not same(model, source)
    model.init_weights()
    assert same(model, source)


@pytest.mark.parametrize('kind', KINDS)
def test_every_kind_of_state_dict(kind):
    source, model = small_backbone(), bare()
    model.load_state_dict(official_files(source)[kind])
    assert same(model, source)


@pytest.mark.parametrize('kind', ['flat', 'trained', 'distilled'])
def test_image_file_into_a_video_model(tmp_path, kind):
    source = small_backbone(num_frames=1).eval()
    path = str(tmp_path / 'file.pth')
    torch.save(official_files(source)[kind], path)
    for frames in (2, 4):
        model = bare(
            num_frames=frames,
            init_cfg=dict(type='Pretrained', checkpoint=path))
        model.init_weights()
        assert not model.temporal_pos_embedding.any()
        x = torch.randn(2, 3, 16, 16)
        assert torch.equal(model(x)[0], source(x)[0])


@pytest.mark.parametrize('mode', ['center', 'average'])
def test_kernel_of_one_frame_into_longer_tubelets(mode):
    source = small_backbone(num_frames=1)
    model = bare(num_frames=4, tubelet_size=2, inflation=mode)
    model.load_state_dict(source.state_dict())
    kernel = model.patch_embed.proj.weight
    assert torch.allclose(
        kernel.sum(2), source.patch_embed.proj.weight[:, :, 0])
    assert kernel[:, :, 0].any() == (mode == 'average')


def test_video_file_into_an_image_model():
    source, model = small_backbone(), bare(num_frames=1)
    model.load_state_dict(official_weights(source))
    x = torch.randn(2, 3, 16, 16)
    assert torch.equal(model(x)[0], source(x)[0])


@pytest.mark.parametrize('source_kwargs,target_kwargs', [
    (dict(num_frames=4), dict(num_frames=8, img_size=32)),
    (dict(num_frames=8, img_size=32), dict(num_frames=4)),
    (dict(num_frames=1), dict(num_frames=8, tubelet_size=4)),
    (dict(num_frames=1, img_size=24), dict(num_frames=2, img_size=(16, 32))),
    (dict(img_size=(16, 32)), dict(img_size=(32, 64))),
])
def test_other_sizes(source_kwargs, target_kwargs):
    source = small_backbone(**source_kwargs)
    model = bare(**target_kwargs)
    model.load_state_dict(official_weights(source))
    own = model.state_dict()
    for name, value in source.state_dict().items():
        if name in own and own[name].shape == value.shape:
            assert torch.equal(own[name], value), name
    assert torch.equal(model.pos_embed[:, 0], source.pos_embed[:, 0])
    x = torch.randn(1, 3, model.num_frames, *model.img_size)
    assert model(x)[0].isfinite().all()


def test_there_and_back():
    source = small_backbone(img_size=32, num_frames=8)
    wave = torch.linspace(0, 2, 16)
    table = (wave.view(4, 4).sin().flatten()[None, :, None])
    source.pos_embed.data[:, 1:] = table
    source.temporal_pos_embedding.data[:] = wave[:8, None].cos()
    large = bare(img_size=64, num_frames=16)
    large.load_state_dict(source.state_dict())
    back = bare(img_size=32, num_frames=8)
    back.load_state_dict(large.state_dict())
    for name, value in source.state_dict().items():
        error = (back.state_dict()[name] - value).abs().max()
        resized = name in ('pos_embed', 'temporal_pos_embedding')
        assert error < (5e-2 if resized else 1e-12), name


def table_of(lines):
    """Read the logged rows as (action, key, detail)."""
    assert not lines or lines[0] == 'VideoMamba checkpoint:'
    return [tuple(line.split(None, 2)) for line in lines[1:]]


def test_every_change_is_logged(mm_log):
    source = small_backbone(num_frames=1)
    file = official_files(source)['distilled']
    bare(num_frames=8, img_size=32).load_state_dict(file)
    assert table_of(mm_log) == [
        ('dropped', 'head.weight', 'not part of the backbone'),
        ('dropped', 'head.bias', 'not part of the backbone'),
        ('dropped', 'distill_head.0.weight', 'not part of the backbone'),
        ('dropped', 'distill_head.1.bias', 'not part of the backbone'),
        ('inflated', 'patch_embed.proj.weight',
         '(16, 3, 8, 8) -> (16, 3, 1, 8, 8)'),
        ('resized', 'pos_embed', '(1, 5, 16) -> (1, 17, 16)'),
        ('missing', 'temporal_pos_embedding', 'stays at its initial value'),
    ]


def test_renamed_and_resized_are_logged(mm_log):
    source = small_backbone(num_frames=8)
    bare().load_state_dict(official_files(source)['multimodal'])
    rows = table_of(mm_log)
    renamed = {
        key: detail
        for action, key, detail in rows if action == 'renamed'
    }
    count = len(source.state_dict()) - 1
    assert renamed == {
        'vision_encoder.norm.weight':
        'to norm_f.weight',
        'vision_encoder.*':
        f'to * ({count} tensors, such as vision_encoder.cls_token)'
    }
    dropped = {key for action, key, _ in rows if action == 'dropped'}
    assert dropped == {
        'vision_encoder.clip_decoder.0.head.weight',
        'vision_encoder.clip_decoder.0.norm.bias',
        'vision_encoder.pool_norm.weight', 'temp',
        'text_encoder.bert.encoder.layer.0.norm.weight'
    }
    assert ('resized', 'temporal_pos_embedding',
            '(1, 8, 16) -> (1, 4, 16)') in rows


def test_dropped_frames_are_logged(mm_log):
    bare(num_frames=1).load_state_dict(small_backbone().state_dict())
    assert table_of(mm_log) == [('dropped', 'temporal_pos_embedding',
                                 'the model takes one tubelet')]


def test_nothing_is_logged_when_nothing_changes(mm_log):
    bare().load_state_dict(small_backbone().state_dict())
    log_changes([])
    assert not mm_log


def without(weights, *parts):
    return {k: v for k, v in weights.items() if not any(p in k for p in parts)}


def bad_files():
    """Return (checkpoint, message) of files to be refused."""
    source = small_backbone()
    good = official_weights(source)
    return dict(
        other_model=({
            'blocks.0.attn.qkv.weight': torch.ones(3, 3)
        }, 'tensors are missing, such as cls_token'),
        empty=({}, 'tensors are missing'),
        truncated=(without(good, 'layers.1.'), '2 blocks; the file has 1'),
        deeper=(official_weights(
            small_backbone(arch=dict(embed_dims=16, num_layers=3))),
                '17 tensors have no place in the model, such as layers.2.'),
        wider=(official_weights(
            small_backbone(arch=dict(embed_dims=32, num_layers=2))),
               'shapes differ'),
        no_backward=(without(good, '_b.', '_b_log', 'D_b'),
                     'tensors are missing, such as layers.0.mixer.A_b_log'),
        tubelet=(official_weights(small_backbone(tubelet_size=2)),
                 'patch_embed.proj.weight: (16, 3, 2, 8, 8) in the file, '
                 '(16, 3, 1, 8, 8) in the model'),
        patch=(official_weights(small_backbone(patch_size=4, img_size=8)),
               'patch_embed.proj.weight: (16, 3, 1, 4, 4) in the file'),
        norm=(official_weights(small_backbone(norm_cfg=dict(type='LN'))),
              'have no place in the model, such as layers.0.norm.bias'),
        unknown=({
            **good, 'surprise.weight': torch.ones(2)
        }, '1 tensors have no place in the model, such as surprise'),
        crooked=({
            **good, 'pos_embed': torch.zeros(1, 8, 16)
        }, 'stores 7 places'))


@pytest.mark.parametrize('name', bad_files())
@pytest.mark.parametrize('strict', [True, False])
def test_files_that_do_not_fit(name, strict):
    checkpoint, message = bad_files()[name]
    model = bare()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    with pytest.raises(ValueError, match=re.escape(message)):
        model.load_state_dict(checkpoint, strict=strict)
    for key, value in model.state_dict().items():
        assert torch.equal(value, before[key])


@pytest.mark.parametrize('name', ['other_model', 'wider'])
def test_pretrained_file_that_does_not_fit(tmp_path, name):
    checkpoint, message = bad_files()[name]
    path = str(tmp_path / 'file.pth')
    torch.save(checkpoint, path)
    model = bare(init_cfg=dict(type='Pretrained', checkpoint=path))
    with pytest.raises(ValueError, match=re.escape(message)):
        model.init_weights()
    with pytest.raises(ValueError, match=re.escape(message)):
        load_checkpoint(bare(), path)


def test_message_names_the_remedy():
    checkpoint, _ = bad_files()['wider']
    with pytest.raises(
            ValueError,
            match='does not fit this VideoMamba .*'
            'Check that `arch`, `patch_size`, `tubelet_size`'):
        bare().load_state_dict(checkpoint)


def test_published_file_for_a_whole_model():
    model = torch.nn.ModuleDict(dict(backbone=bare()))
    with pytest.raises(
            ValueError,
            match=r'names no tensor backbone\.\*.*videomamba_to_mm'):
        model.load_state_dict(official_weights(small_backbone()))


def test_published_training_file(tmp_path):
    path = str(tmp_path / 'training.pth')
    weights = official_weights(small_backbone())
    torch.save(dict(model=weights, args=argparse.Namespace(lr=1e-3)), path)
    model = bare(init_cfg=dict(type='Pretrained', checkpoint=path))
    with pytest.raises(
            ValueError,
            match=r'training\.pth.*holds more than weights.*'
            'videomamba_to_mm'):
        model.init_weights()


def test_missing_file(tmp_path):
    path = str(tmp_path / 'none.pth')
    model = bare(init_cfg=dict(type='Pretrained', checkpoint=path))
    with pytest.raises(FileNotFoundError, match='none.pth'):
        model.init_weights()


def test_as_many_places_are_taken_as_they_are():
    # 2 x 8 and 4 x 4 cannot be told apart; a model's own grid comes first.
    source = small_backbone(img_size=(16, 64))
    model = bare(img_size=(16, 64))
    model.load_state_dict(source.state_dict())
    assert same(model, source)
