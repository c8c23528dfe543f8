from types import SimpleNamespace
from typing import Any, Optional, Tuple

import pytest
import torch
from torch import Tensor, nn

from mmvideomamba.models.masking import MaskedTeacher, TeacherTargets

GRID = (2, 1, 3)  # token frames, rows, columns
CLIPS = torch.zeros(2, 3, 2, 8, 8)
MASKS = [[True, False, True, False, False, True],
         [False, True, True, True, False, False]]
SAMPLES = [SimpleNamespace(mask=torch.tensor(mask)) for mask in MASKS]


class Numbers(nn.Module):
    """A teacher whose features are the number of clip and token.

    Args:
        attention (Tensor): Returned, shape (b * t, n).
        tokens (int): Tokens of a clip with the class token.
    """

    def __init__(self, attention: Tensor, tokens: int = 7) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))
        self.attention, self.tokens = attention, tokens

    def forward(self, clips: Tensor) -> Tuple[Tensor, Tensor]:
        """Count the tokens of all clips, the class tokens included."""
        count = len(clips) * self.tokens
        features = torch.arange(count) * self.scale
        return features.view(1, len(clips), -1, 1), self.attention


def teacher(source: str, ratio: Optional[float] = None) -> MaskedTeacher:
    """Mask a teacher with all attention on the middle of three patches."""
    attention = torch.tensor([[0., 1., 0.]]).repeat(4, 1)
    return MaskedTeacher(Numbers(attention), GRID, source, ratio)


def test_mask_of_the_data_chooses_the_features() -> None:
    found = teacher('data')(CLIPS, SAMPLES)
    assert found.mask.tolist() == MASKS
    # The class token, then the tokens whose mask is False; clip 1 begins
    # with number 7.
    assert found.features[0, :, :, 0].tolist() == [[0, 2, 4, 5],
                                                   [7, 8, 12, 13]]
    assert not found.features.requires_grad


def test_attention_keeps_the_patch_that_has_it_all() -> None:
    found = teacher('attention', 0.7)(CLIPS)
    assert found.mask.tolist() == [[True, False, True] * 2] * 2
    assert found.features[0, :, :, 0].tolist() == [[0, 2, 5], [7, 9, 12]]
    assert torch.equal(found.attention, torch.tensor([[0., 1., 0.]] * 4))


@pytest.mark.parametrize('source, ratio', [('attention', 0.7), ('data', None)])
def test_unmasked_keeps_all_and_draws_nothing(source: str, ratio) -> None:
    state = torch.get_rng_state()
    found = teacher(source, ratio)(CLIPS, masked=False)
    assert torch.equal(torch.get_rng_state(), state)
    assert found.mask.shape == (2, 6) and not found.mask.any()
    assert found.features.flatten().tolist() == list(range(14))


@pytest.mark.parametrize('source, ratio', [('attention', 0.7), ('data', None)])
@pytest.mark.parametrize('masked', [True, False])
def test_positions_are_those_of_the_mask(source: str, ratio: Optional[float],
                                         masked: bool) -> None:
    found = teacher(source, ratio)(CLIPS, SAMPLES, masked).visible
    wanted = (~found.mask).nonzero()[:, 1].view(2, -1)
    assert torch.equal(found.positions, wanted)


def test_attention_that_is_no_number(monkeypatch: Any) -> None:
    """On a GPU the draws are not checked; the loss must show the NaN."""
    monkeypatch.setattr(
        'mmvideomamba.models.masking.visible_tokens.draw_distinct',
        lambda weights, count: weights.topk(count).indices)
    attention = torch.ones(4, 3)
    attention[3, 1] = float('nan')
    net = Numbers(attention)
    found = MaskedTeacher(net, GRID, 'attention', 0.7)(CLIPS)
    assert found.features.isnan().all()


@pytest.mark.parametrize('grid, message', [
    ((1, 1, 3), r'7 tokens per clip.*grid of 1 x 1 x 3, that is 4 tokens'),
    ((1, 2, 3), r'attention to 3 patches per frame.*grid of 1 x 2 x 3'),
])
def test_teacher_of_another_grid(grid: tuple, message: str) -> None:
    """In the second case the numbers of tokens agree, the frames do not."""
    net = teacher('data').teacher
    with pytest.raises(ValueError, match=message):
        MaskedTeacher(net, grid, 'data')(CLIPS, SAMPLES)


@pytest.mark.parametrize('source, ratio, message', [
    ('tube', 0.7, "mask_source must be one of .*got 'tube'"),
    ('attention', None, 'mask_ratio must be a number .*got None'),
    ('attention', 0.2, 'mask_ratio=0.2 leaves every one of the 3'),
])
def test_bad_arguments(source: str, ratio, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        teacher(source, ratio)


@pytest.mark.parametrize('shape', [(2, 2, 4, 5), (1, 2, 4, 6)])
def test_decoder_of_other_levels_or_channels(shape: tuple) -> None:
    targets = TeacherTargets(torch.zeros(1, 2, 4, 5), *torch.zeros(3, 1))
    targets.check_decoded(torch.zeros(1, 2, 4, 5))
    with pytest.raises(
            ValueError,
            match=f'returns {shape[0]} levels of {shape[3]} channels, but '
            'the teacher 1 of 5; set num_levels'):
        targets.check_decoded(torch.zeros(shape))
