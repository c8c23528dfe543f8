import pytest
import torch
from common import GOLDEN_FLOOR, assert_close, golden

from mmvideomamba.models.multimodal import similarity
from mmvideomamba.models.multimodal.losses import (contrastive_loss,
                                                   mask_words,
                                                   negative_weights)

NAME = 'umt_videomamba'


@pytest.mark.parametrize('case, vision', [('3d_mean', 3), ('2d', 2)])
def test_golden_similarity(case: str, vision: int) -> None:
    data = golden(NAME)
    sim = similarity(data[f'sim/in/vision{vision}'], data['sim/in/text'], 0.05)
    assert_close(sim, data[f'sim/{case}/out/v2t'], floor=GOLDEN_FLOOR)
    assert_close(sim.t(), data[f'sim/{case}/out/t2v'], floor=GOLDEN_FLOOR)


def test_similarity_stays_in_float32() -> None:
    """Similarities stay float32 under autocast, for losses and negatives."""
    data = golden(NAME)
    inputs = data['sim/in/vision3'], data['sim/in/text'], 0.05
    with torch.autocast('cpu', dtype=torch.bfloat16):
        sim = similarity(*inputs)
    assert torch.equal(sim, similarity(*inputs))


def test_equal_ids_are_positives() -> None:
    sim = torch.tensor([[2., 2., 0.], [2., 2., 0.], [0., 0., 2.]]) * 50
    ids = torch.tensor([7, 7, 1])
    loss = contrastive_loss(sim, ids)
    # Two shares of a half each, found exactly.
    assert loss == pytest.approx(2 / 3 * torch.tensor(2.).log().item())


def test_negatives() -> None:
    sim = torch.tensor([[0., 1e6, float('nan')]] * 3)
    ids = torch.tensor([0, 1, 2])
    weights = negative_weights(sim, ids)
    assert weights.diagonal().eq(0).all() and weights.isfinite().all()
    assert weights.sum(1).gt(0).all()
    even = negative_weights(torch.randn(3, 3), ids, hard=False)
    assert torch.equal(even, 1 - torch.eye(3))
    with pytest.raises(ValueError, match=r'\[4, 4\].*larger batch'):
        negative_weights(torch.zeros(2, 2), torch.tensor([4, 4]))


def test_enough_negatives_where_most_have_no_weight() -> None:
    """At a low temperature, all but one underflow to 0."""
    sim = torch.tensor([[0., 900., 0., 0.]] * 4)
    ids = torch.tensor([0, 1, 2, 2])
    for count in (1, 2):
        weights = negative_weights(sim, ids, count=count)
        assert (weights > 0).sum(1).ge(count).all()
        assert not weights[ids[:, None] == ids[None]].any()
    with pytest.raises(ValueError, match='2 wrong partners, .* needs 3'):
        negative_weights(sim, ids, count=3)


def test_masked_words_have_the_wanted_shares() -> None:
    ids = torch.randint(5, 90, (400, 50))
    ids[:, 0], ids[:, 40:] = 2, 0
    shown, labels = mask_words(ids, (0, 2), 4, 97)
    chosen = labels != -100
    assert not chosen[:, 0].any() and not chosen[:, 40:].any()
    assert torch.equal(labels[chosen], ids[chosen])
    assert torch.equal(shown[~chosen], ids[~chosen])
    assert chosen[:, 1:40].float().mean() == pytest.approx(0.5, abs=0.02)
    hidden = (shown == 4)[chosen].float().mean()
    same = (shown == ids)[chosen].float().mean()
    assert hidden == pytest.approx(0.8, abs=0.02)
    assert same == pytest.approx(0.1, abs=0.02)


def test_similarity_by_hand() -> None:
    """The mean of the cosines of both frames, over the temperature."""
    frames = torch.tensor([[[3., 4.], [0., 2.]]])
    texts = torch.tensor([[5., 0.], [0., -1.]])
    found = similarity(frames, texts, 0.5)
    # Cosines with text 0 are 0.6 and 0, with text 1 -0.8 and -1.
    assert_close(found, torch.tensor([[0.6, -1.8]]))


def test_contrastive_loss_by_hand() -> None:
    """Unequal ids: the mean of both cross-entropies of the diagonal."""
    sim = torch.tensor([[1., 0.], [2., 5.]]).log1p()
    # Rows are (2, 1) and (3, 6) after exp, columns (2, 3) and (1, 6).
    rows = torch.tensor([2 / 3, 6 / 9]).log().mean()
    columns = torch.tensor([2 / 5, 6 / 7]).log().mean()
    loss = contrastive_loss(sim, torch.tensor([4, 9]))
    assert_close(loss, -(rows + columns) / 2)
