"""Moving noise: maps are injective, each frame is pure noise."""
import numpy as np
import pytest
from scipy import stats

from mmvideomamba.datasets.preparation import noise_flow
from mmvideomamba.datasets.preparation.noise_flow import (FRESH, Flow,
                                                          make_injective,
                                                          sources_of)

EXPANSION = Flow((0., 0.), ((.1, 0.), (0., .1)), (15.5, 15.5))


def test_of_several_cells_one_keeps_the_source() -> None:
    found = make_injective(np.array([3, 3, FRESH, 3, 0]))
    assert found.tolist() == [FRESH, FRESH, FRESH, 3, 0]


@pytest.mark.parametrize('seed', range(5))
def test_any_flow_becomes_make_injective(seed: int) -> None:
    rng = np.random.default_rng(seed)
    flow = Flow((1.3, -.4), tuple(map(tuple, rng.normal(0, .2, (2, 2)))),
                (9., 14.))
    wanted = sources_of(flow.velocity(24), rng.random(2) - .5)
    found = make_injective(wanted)
    used = found[found != FRESH]
    assert len(set(used)) == len(used)
    # No wanted source stays unused.
    assert set(used) == set(wanted[wanted != FRESH])


def test_a_whole_velocity_is_exact_for_any_jitter() -> None:
    flow = Flow((1., -2.))
    for jitter in (-.5, 0., .499):
        sources = sources_of(flow.velocity(8), np.full(2, jitter))
        grid = np.arange(64).reshape(8, 8)
        assert (sources.reshape(8, 8)[1:, :-2] == grid[:-1, 2:]).all()
        assert (sources.reshape(8, 8)[0] == FRESH).all()


def test_fractions_are_right_on_average() -> None:
    rng = np.random.default_rng(0)
    velocity = Flow((.3, 0.)).velocity(16)
    steps = [sources_of(velocity, rng.random(2) - .5)[136] for _ in range(999)]
    moved = (136 - np.array(steps)) / 16
    assert set(moved) == {0, 1} and abs(moved.mean() - .3) < .05


def test_velocity_is_that_of_the_place() -> None:
    velocity = Flow((1., 0.), ((0., .5), (0., 0.)), (2., 3.)).velocity(8)
    assert velocity[:, 2, 3].tolist() == [1, 0]
    assert velocity[:, 5, 7].tolist() == [3, 0]


def pattern_p_value(fields: np.ndarray) -> float:
    """Test whether the 16 patterns of 2 x 2 cells are equally frequent."""
    a, b = fields[..., ::2, :], fields[..., 1::2, :]
    rows = a[..., ::2], a[..., 1::2], b[..., ::2], b[..., 1::2]
    codes = sum(int(2**i) * x.astype(int) for i, x in enumerate(rows))
    counts = np.bincount(np.ravel(codes), minlength=16)
    return float(stats.chisquare(counts).pvalue)


@pytest.mark.parametrize('honest', [True, False])
def test_a_frame_of_an_expansion_is_pure_noise(honest: bool,
                                               monkeypatch) -> None:
    """Without injective maps the field tells, and the test fails."""
    if not honest:
        monkeypatch.setattr(noise_flow, 'make_injective', lambda x: x)
    rng = np.random.default_rng(1)
    last = []
    for _ in range(30):
        field = noise_flow.fair_bits(rng, 1024)
        for _ in range(6):
            sources = sources_of(EXPANSION.velocity(32), rng.random(2) - .5)
            field = noise_flow.move(rng, field,
                                    noise_flow.make_injective(sources))
        last.append(field.reshape(32, 32))
    p_value = pattern_p_value(np.stack(last))
    assert p_value > .01 if honest else p_value < 1e-9


def test_coherence_is_the_share_that_obeys() -> None:
    rng = np.random.default_rng(0)
    field = noise_flow.fair_bits(rng, 10000)
    moved = noise_flow.move(rng, field, np.arange(10000), .6)
    # Half of the fresh bits agree by chance.
    assert abs((moved == field).mean() - .8) < .02
    assert (noise_flow.move(rng, field, np.arange(10000)) == field).all()
