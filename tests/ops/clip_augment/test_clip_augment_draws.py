"""Draws of a clip and the row of numbers for the kernels."""
import pytest
import torch

from mmvideomamba.datasets.transforms import clip_rand_augment
from mmvideomamba.ops.clip_augment import (DRAW_SIZE, MAX_OPERATIONS,
                                           ClipDraws, decode, encode)
from mmvideomamba.ops.clip_augment.draws import OPERATIONS

DRAWS = ClipDraws(
    operations=(('Rotate', -20.3), ('Equalize', 0), ('Solarize', 77)),
    fill=(128, 127, 3),
    box=(5, 2, 300, 255),
    size=(112, 224),
    rounded=True,
    interpolation='bicubic',
    flip=True,
    erase=(0, 100, 112, 124),
    noise_mean=(123.675, 116.28, 103.53),
    noise_std=(58.395, 57.12, 57.375),
    seed=2**31 - 1)


@pytest.mark.parametrize('changes', [{}, dict(erase=None, operations=())])
def test_a_row_keeps_everything(changes):
    draws = DRAWS._replace(**changes)
    row = encode(draws)
    assert row.shape == (DRAW_SIZE, ) and row.dtype == torch.float64
    assert decode(row) == draws


def test_full():
    draws = DRAWS._replace(operations=DRAWS.operations[:1] * MAX_OPERATIONS)
    assert decode(encode(draws)) == draws


def test_operations_are_those_of_the_transform():
    assert OPERATIONS == tuple(clip_rand_augment.OPERATIONS)


@pytest.mark.parametrize(
    'changes, named',
    [(dict(operations=DRAWS.operations * 3), '9 operations; at most 8'),
     (dict(operations=(('Blur', 1.), )), 'Blur'),
     (dict(fill=(0, 256, 0)), 'fill'), (dict(box=(5, 2, 5, 9)), 'box'),
     (dict(size=(0, 1)), 'size'), (dict(interpolation='area'), 'area'),
     (dict(erase=(0, 101, 112, 124)), 'erase'),
     (dict(seed=2**31), 'seed must lie')])
def test_what_is_out_of_range_is_named(changes, named):
    with pytest.raises(ValueError, match=named):
        encode(DRAWS._replace(**changes))


def test_wrong_rows():
    with pytest.raises(ValueError, match='shape'):
        decode(torch.zeros(DRAW_SIZE - 1))
    row = encode(DRAWS)
    row[0] = 9
    with pytest.raises(ValueError, match='9 operations'):
        decode(row)
