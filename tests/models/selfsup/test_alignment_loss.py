import pytest
import torch
from common import GOLDEN_FLOOR, assert_close, golden

from mmvideomamba.models.selfsup import AlignmentLoss


@pytest.mark.parametrize('normalize', [False, True])
@pytest.mark.parametrize('kind', AlignmentLoss.kinds)
def test_golden_losses(kind: str, normalize: bool) -> None:
    data = golden('umt_videomamba')
    loss = AlignmentLoss(kind, normalize)
    name = 'l2' if normalize else 'none'
    assert_close(
        loss(data['uta/in/student'], data['uta/in/teacher']),
        data[f'uta/{name}|{kind}/out/loss'],
        floor=GOLDEN_FLOOR)


def test_loss_in_half_precision_is_computed_in_float32() -> None:
    a, b = torch.randn(2, 64, 8, dtype=torch.bfloat16)
    for kind in AlignmentLoss.kinds:
        loss = AlignmentLoss(kind)
        assert torch.equal(loss(a, b), loss(a.float(), b.float()))


@pytest.mark.parametrize('kind, wanted', [
    ('l2', 2 - 2 * (0.6 + 1) / 2),
    ('mse', (0.4**2 + 0.8**2 + 0 + 0) / 4),
    ('smooth_l1', (0.4**2 + 0.8**2) / 2 / 4),
])
def test_losses_by_hand(kind: str, wanted: float) -> None:
    """Of two tokens, brought to length 1, and weighted."""
    student = torch.tensor([[3., 4.], [0., 2.]])
    teacher = torch.tensor([[7., 0.], [0., 1.]])
    loss = AlignmentLoss(kind, normalize=True, loss_weight=3.)
    assert_close(loss(student, teacher), torch.tensor(3 * wanted))


def test_bad_arguments() -> None:
    with pytest.raises(ValueError, match="kind .*'huber'"):
        AlignmentLoss('huber')
    with pytest.raises(ValueError, match='loss_weight of AlignmentLoss.*-1'):
        AlignmentLoss(loss_weight=-1)
    x = torch.zeros(2, 3)
    with pytest.raises(ValueError, match='no mask'):
        AlignmentLoss()(x, x, x)
