import pytest
import torch

from mmvideomamba.models.layers import draw_distinct


@pytest.mark.parametrize('count', [1, 3, 40])
def test_draws_of_torch(count: int, place: torch.device) -> None:
    """Equal bit by bit, and the generator ends in the same state."""
    weights = torch.rand(7, 40, device=place)
    found = []
    for draw in (torch.multinomial, draw_distinct):
        torch.manual_seed(3)
        found.append((draw(weights, count), torch.rand(5, device=place)))
    for one, other in zip(*found):
        assert torch.equal(one, other)


@pytest.mark.parametrize('bad', [float('nan'), float('inf'), -1.])
def test_weights_on_the_cpu_are_checked(bad: float) -> None:
    weights = torch.ones(2, 4)
    weights[1, 2] = bad
    with pytest.raises(ValueError, match='cannot draw 2 of 4 places'):
        draw_distinct(weights, 2)


def test_too_few_places() -> None:
    weights = torch.tensor([[1., 0., 0.]])
    assert draw_distinct(weights, 1).tolist() == [[0]]
    with pytest.raises(ValueError, match='enough of them above 0'):
        draw_distinct(weights, 2)
