from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.model import BaseDataPreprocessor
from mmengine.structures import BaseDataElement

from mmvideomamba.models.layers.visible_positions import counted
from mmvideomamba.models.masking import (NoteMaskPositions,
                                         draw_mask_from_attention, masks_of,
                                         stack_masks, visible_features,
                                         visible_per_frame, with_class_token)
from mmvideomamba.models.masking.visible_tokens import draw_visible, visible_of


@pytest.mark.parametrize('count,ratio,visible', [(196, 0.8, 40),
                                                 (196, 0.5, 98), (16, 0.8, 4),
                                                 (9, 0.5, 5)])
def test_visible_per_frame(count: int, ratio: float, visible: int) -> None:
    assert visible_per_frame(count, ratio) == visible


@pytest.mark.parametrize('ratio', [0, 0.05, 1, 1.2, -0.5])
def test_bad_ratio(ratio: float) -> None:
    with pytest.raises(ValueError, match=f'mask_ratio={ratio} leaves'):
        draw_mask_from_attention(torch.ones(2, 16), 1, ratio)


def test_as_many_in_each_frame() -> None:
    mask = draw_mask_from_attention(torch.rand(6, 16), 3, 0.8)
    assert mask.shape == (2, 48) and mask.dtype == torch.bool
    assert ((~mask).view(6, 16).sum(1) == 4).all()


def test_more_attention_is_seen_more_often() -> None:
    weights = torch.tensor([[8., 4., 2., 1.]]).repeat(20000, 1)
    seen = (~draw_mask_from_attention(weights, 1, 0.75)).float().mean(0)
    # A single token is drawn: with the probability of its weight.
    assert (seen - weights[0] / 15).abs().max() < 0.02


def test_underflowed_weights_can_be_drawn() -> None:
    weights = torch.zeros(1, 16, dtype=torch.bfloat16)
    weights[0, 3] = 1
    mask = draw_mask_from_attention(weights, 1, 0.8)
    assert not mask[0, 3] and (~mask).sum() == 4


def test_same_seed_same_mask() -> None:
    weights = torch.rand(4, 16)
    torch.manual_seed(1)
    first = draw_mask_from_attention(weights, 2, 0.5)
    torch.manual_seed(1)
    assert torch.equal(draw_mask_from_attention(weights, 2, 0.5), first)
    assert not torch.equal(draw_mask_from_attention(weights, 2, 0.5), first)


def test_class_token_stays() -> None:
    mask = with_class_token(torch.ones(2, 3, dtype=torch.bool))
    assert mask.tolist() == [[False, True, True, True]] * 2


def test_visible_features() -> None:
    mask = torch.tensor([[True, False, True, False],
                         [False, False, True, True]])
    features = torch.rand(3, 2, 5, 6)
    found = visible_features(features, mask)
    assert torch.equal(found[:, 0], features[:, 0, [0, 2, 4]])
    assert torch.equal(found[:, 1], features[:, 1, [0, 1, 2]])


def test_masks_of_the_data() -> None:
    rows = [[True, False, True], [False, True, True]]
    samples = [SimpleNamespace(mask=torch.tensor(row)) for row in rows]
    assert masks_of(samples, 3).tolist() == rows
    for bad in (None, [], [*samples, SimpleNamespace()]):
        with pytest.raises(ValueError, match='no mask: put .*TokenMask'):
            masks_of(bad, 3)


def test_stack() -> None:
    rows = [[True, False, True], [False, True, True]]
    found = stack_masks([np.array(rows[0]), torch.tensor(rows[1])], 3)
    assert found.tolist() == rows


def test_drawn_positions_are_those_of_the_mask() -> None:
    weights = torch.rand(6, 16)
    torch.manual_seed(1)
    found = draw_visible(weights, 3, 0.8)
    torch.manual_seed(1)
    mask = draw_mask_from_attention(weights, 3, 0.8)
    assert torch.equal(found.mask, mask)
    assert torch.equal(found.positions, counted(mask).positions)
    features = torch.randn(2, 2, 1 + 48, 3)
    assert torch.equal(
        visible_features(features, found), visible_features(features, mask))


def noted(masks: list, num_tokens: int = 3) -> list:
    """Return samples of a batch as a data preprocessor gives them."""
    found = [BaseDataElement() for _ in masks]
    for sample, mask in zip(found, masks):
        sample.set_field(mask, 'mask')
    preprocessor = BaseDataPreprocessor()
    preprocessor.register_forward_hook(NoteMaskPositions(num_tokens))
    return preprocessor(dict(data_samples=found))['data_samples']


def test_positions_noted_by_the_data_preprocessor() -> None:
    """Noted positions replace the masks, for steps on tensors alone."""
    cpu = torch.device('cpu')
    rows = [[True, False, False], [False, True, False]]
    samples = noted([np.array(rows[0]), torch.tensor(rows[1])])
    assert [x.mask_positions.tolist() for x in samples] == [[1, 2], [0, 2]]
    wanted = visible_of(samples, 3, cpu)
    for sample in samples:
        del sample.mask
    found = visible_of(samples, 3, cpu)
    for one, other in zip(found, wanted):
        assert torch.equal(one, other)
    assert found.mask.tolist() == rows


def test_a_mask_counts_more_than_noted_positions() -> None:
    samples = noted([np.array([True, False, False])])
    samples[0].mask = np.array([False, True, True])
    found = visible_of(samples, 3, torch.device('cpu'))
    assert found.positions.tolist() == [[0]]


def test_wrong_masks_are_refused_by_the_data_preprocessor() -> None:
    with pytest.raises(ValueError, match=r'the masks keep \[1, 2\]'):
        noted([np.array([True, True, False]), np.array([True, False, False])])
    with pytest.raises(ValueError, match='the student has 3 patch tokens'):
        noted([np.array([True, False])])
    sample = BaseDataElement()
    NoteMaskPositions(3)(None, (), dict(data_samples=[sample]))
    assert 'mask_positions' not in sample
