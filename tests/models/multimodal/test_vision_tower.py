import pytest
import torch
from common import GOLDEN_FLOOR, assert_close, golden, small_backbone

from mmvideomamba.checkpoints import own_key
from mmvideomamba.models import VisionTower
from mmvideomamba.models.selfsup import UMTDecoder

NAME = 'multimodal_backbone'
CASES = [c for c in golden(NAME).config['cases'] if 'pool_norm' not in c]


def golden_tower(**kwargs) -> VisionTower:
    data = golden(NAME)
    cfg = data.config['model']
    tower = VisionTower(
        dict(
            type='mmvideomamba.VideoMamba',
            arch=dict(embed_dims=cfg['embed_dim'], num_layers=cfg['depth']),
            img_size=cfg['img_size'],
            patch_size=cfg['patch_size'],
            num_frames=cfg['num_frames'],
            out_type='raw',
            out_indices=(-2, -1),
            stream_indices=-2),
        UMTDecoder(
            cfg['embed_dim'],
            cfg['clip_output_dim'],
            cfg['clip_return_layer'],
            norm='none'), **kwargs)
    prefix = 'vision_encoder.'
    tower.load_state_dict({
        own_key(prefix + key)[len(prefix):]: value
        for key, value in data.under('sd/').items()
    })
    return tower.eval()


@pytest.mark.parametrize('case', CASES)
def test_golden_pooling(case: str, place) -> None:
    data, cfg = golden(NAME), golden(NAME).config['cases'][case]
    tower = golden_tower(pool_type=cfg['pool_type']).to(place)
    x = data[f'in/{cfg["input"]}'].to(place).requires_grad_()
    mask = None
    if cfg['mask']:
        mask = data[f'in/{cfg["input"]}_mask'][:, 1:].to(place)
    out = tower(x, mask, cfg['keep_temporal'])
    wanted = data.under(f'{case}/out/')
    assert_close(out.pooled, wanted['pooled'], floor=GOLDEN_FLOOR)
    if 'x_vis' in wanted:
        assert_close(out.tokens, wanted['x_vis'], floor=GOLDEN_FLOOR)
    assert (out.decoded is None) == (mask is None)
    if 'x_clip' in wanted:
        assert_close(out.decoded, wanted['x_clip'], floor=GOLDEN_FLOOR)
    gradients = data.under(f'{case}/grad/')
    if not gradients:
        return
    cot = {k: v.to(place) for k, v in data.under(f'{case}/cot/').items()}
    total = (out.pooled * cot['pooled']).sum()
    if 'x_clip' in cot:
        total = total + (out.decoded * cot['x_clip']).sum()
    total.backward()
    found = dict(tower.named_parameters())
    prefix = 'vision_encoder.'
    for key, value in gradients.items():
        own = own_key(prefix + key)[len(prefix):]
        gradient = x.grad if key == 'x' else found[own].grad
        if gradient is None:
            assert not value.any(), key
            continue
        assert_close(gradient, value, 'gradient', floor=GOLDEN_FLOOR, name=key)


def test_golden_tokens_with_class_token() -> None:
    data = golden(NAME)
    tokens = golden_tower().backbone(data['in/video'])[1]
    assert_close(
        tokens, data['no_pool_norm|video|full/out/x_vis'], floor=GOLDEN_FLOOR)


@pytest.mark.parametrize('backbone, pool, match', [
    (dict(), 'sum', "pool_type must be one of .*'sum'"),
    (dict(out_type='cls_token'), 'cls', "out_type='raw'.*'cls_token'"),
    (dict(out_indices=0), 'cls', r'last block.*\[0\]'),
])
def test_bad_arguments(backbone: dict, pool: str, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        VisionTower(
            small_backbone(**{
                **dict(out_type='raw'),
                **backbone
            }),
            pool_type=pool)


def test_frames_beyond_the_temporal_table() -> None:
    tower = VisionTower(small_backbone(out_type='raw'))
    with pytest.raises(ValueError, match='8 frames, but num_frames is 4'):
        tower(torch.zeros(1, 3, 8, 16, 16))


def test_uneven_mask_cannot_be_pooled_by_frame() -> None:
    tower = VisionTower(small_backbone(out_type='raw'))
    mask = torch.zeros(1, 16, dtype=torch.bool)
    mask[:, 0] = True
    with pytest.raises(ValueError, match='15 visible tokens.*4 frames'):
        tower(torch.zeros(1, 3, 4, 16, 16), mask)
