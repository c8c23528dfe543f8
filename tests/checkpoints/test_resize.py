import pytest
import torch
from common import golden

from mmvideomamba.checkpoints import (inflate_patch_kernel,
                                      resize_spatial_embed,
                                      resize_temporal_embed)

CASES = golden('checkpoint_adaptation').config['cases']


def near(found: torch.Tensor, wanted: torch.Tensor) -> bool:
    return found.shape == wanted.shape and (found - wanted).abs().max() <= 1e-6


@pytest.mark.parametrize('case', [c for c in CASES if 'pos_embed' in c])
def test_golden_spatial(case):
    data = golden('checkpoint_adaptation')
    side = CASES[case]['target_grid']
    source = data[f'{case}/in/pos_embed']
    found = resize_spatial_embed(source, (side, side))
    assert near(found, data[f'{case}/out/pos_embed'])
    assert torch.equal(found[:, 0], source[:, 0])


@pytest.mark.parametrize('case', [c for c in CASES if 'temporal' in c])
def test_golden_temporal(case):
    data = golden('checkpoint_adaptation')
    tubelets = CASES[case]['new_frames'] // CASES[case]['tubelet']
    found = resize_temporal_embed(data[f'{case}/in/temporal_pos_embedding'],
                                  tubelets)
    assert near(found, data[f'{case}/out/temporal_pos_embedding'])


@pytest.mark.parametrize('case', [c for c in CASES if 'inflate' in c])
def test_golden_inflation(case):
    data = golden('checkpoint_adaptation')
    mode = 'center' if CASES[case]['center'] else 'average'
    found = inflate_patch_kernel(data[f'{case}/in/weight2d'],
                                 CASES[case]['kernel_size'], mode)
    assert torch.equal(found, data[f'{case}/out/weight3d'])


def test_same_size_is_the_same_tensor():
    embed = torch.randn(1, 17, 5)
    assert resize_spatial_embed(embed, (4, 4)) is embed
    assert resize_spatial_embed(embed, (2, 8), (2, 8)) is embed
    embed = torch.randn(1, 8, 5)
    assert resize_temporal_embed(embed, 8) is embed


def test_rectangles_keep_rows_and_columns_apart():
    rows = torch.arange(4.).view(4, 1).expand(4, 6)
    columns = torch.arange(6.).expand(4, 6)
    body = torch.stack([rows, columns], -1).flatten(0, 1)
    embed = torch.cat([torch.zeros(1, 2), body])[None]
    found = resize_spatial_embed(embed, (8, 3), (4, 6))[0, 1:].view(8, 3, 2)
    assert (found[..., 0] - found[:, :1, 0]).abs().max() < 1e-5
    assert (found[..., 1] - found[:1, :, 1]).abs().max() < 1e-5
    assert (found[1:, 0, 0] > found[:-1, 0, 0]).all()
    assert (found[0, 1:, 1] > found[0, :-1, 1]).all()


def test_there_and_back_of_a_smooth_table():
    x = torch.linspace(0, 3, 14)
    body = torch.sin(x)[:, None] * torch.cos(x)
    embed = torch.cat([torch.ones(1), body.flatten()])[None, :, None]
    wide = resize_spatial_embed(embed, (28, 28))
    back = resize_spatial_embed(wide, (14, 14))
    assert (back - embed).abs().max() < 4e-2
    table = torch.sin(x)[None, :, None]
    back = resize_temporal_embed(resize_temporal_embed(table, 28), 14)
    assert (back - table).abs().max() < 4e-2


def test_constant_tables_stay_constant():
    found = resize_spatial_embed(torch.full((1, 10, 3), 0.5), (5, 7))
    assert near(found, torch.full((1, 36, 3), 0.5))
    found = resize_temporal_embed(torch.full((1, 4, 3), 0.5), 9)
    assert near(found, torch.full((1, 9, 3), 0.5))


def test_half_precision_is_resized_in_float32():
    embed = torch.randn(1, 17, 4)
    found = resize_spatial_embed(embed.bfloat16(), (6, 6))
    assert found.dtype == torch.bfloat16
    wanted = resize_spatial_embed(embed.bfloat16().float(), (6, 6))
    assert torch.equal(found, wanted.bfloat16())
    assert resize_temporal_embed(embed.half(), 5).dtype == torch.float16


@pytest.mark.parametrize('mode', ['center', 'average'])
@pytest.mark.parametrize('k', [1, 2, 3, 4])
def test_inflated_kernel_sees_a_still_clip_as_the_image(mode, k):
    kernel = torch.randn(5, 3, 4, 4)
    found = inflate_patch_kernel(kernel, k, mode)
    assert found.shape == (5, 3, k, 4, 4)
    assert near(found.sum(2), kernel)


def test_bad_source_grid():
    with pytest.raises(ValueError, match='stores 18 places.*4 x 4'):
        resize_spatial_embed(torch.zeros(1, 19, 2), (3, 3))
    with pytest.raises(ValueError, match='stores 16 places.*3 x 5'):
        resize_spatial_embed(torch.zeros(1, 17, 2), (3, 3), (3, 5))


def test_unknown_inflation():
    with pytest.raises(ValueError, match="'center', 'average'.*'first'"):
        inflate_patch_kernel(torch.zeros(1, 3, 2, 2), 2, 'first')
