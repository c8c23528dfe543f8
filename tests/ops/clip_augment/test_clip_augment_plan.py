"""The order of launches, and where pixels go."""
import math

import pytest
from ops.clip_augment.expected import STRENGTHS, make_draws, make_frames

from mmvideomamba.ops.clip_augment.draws import OPERATIONS
from mmvideomamba.ops.clip_augment.plan import (STEP_WHOLE, Layer, Source,
                                                make_plan, matrix_of,
                                                sizes_of_buffers)

FRAMES = make_frames(1, 4, 5)
SOURCES = [Source(1000, 4, 5), Source(2000, 6, 5), Source(1000, 4, 5)]


def operations(*names: str) -> tuple:
    return tuple((name, STRENGTHS[name]) for name in names)


DRAWS = [
    make_draws(FRAMES, operations=operations('Rotate', 'Color', 'Invert')),
    make_draws(FRAMES, operations=()),
    make_draws(FRAMES, operations=operations('Equalize', 'Posterize')),
]


def test_layers_and_addresses():
    assert sizes_of_buffers(SOURCES, DRAWS, 2) == (240, 240)
    plan = make_plan(SOURCES, DRAWS, 2, (5000, 9000))
    # Clips with statistics first, then tables.
    assert plan.layers == [
        Layer(first=0, clips=2, statistics=1, tables=1, pixels=20),
        Layer(first=2, clips=2, statistics=0, tables=1, pixels=20),
        Layer(first=4, clips=1, statistics=0, tables=1, pixels=20)
    ]
    assert plan.steps == 5
    steps = plan.whole[:5 * STEP_WHOLE].reshape(5, STEP_WHOLE)
    assert steps[:, :2].tolist() == [[1000, 5120], [1000, 5000], [5120, 9120],
                                     [5000, 9000], [9000, 5000]]
    assert [OPERATIONS[code] for code in steps[:, 4]
            ] == ['Equalize', 'Rotate', 'Posterize', 'Color', 'Invert']
    crops = plan.whole[5 * STEP_WHOLE:].reshape(3, -1)
    assert crops[:, 0].tolist() == [5000, 2000, 9120]


@pytest.mark.parametrize('name', sorted(OPERATIONS))
def test_matrices_keep_the_centre_or_an_axis(name):
    a, b, c, d, e, f = matrix_of(name, 0.25, 40, 60)
    moved = a * 30 + b * 20 + c, d * 30 + e * 20 + f
    wanted = dict(
        ShearX=(35., 20.),
        ShearY=(30., 27.5),
        TranslateX=(45., 20.),
        TranslateY=(30., 30.))
    assert moved == pytest.approx(wanted.get(name, (30., 20.)))
    angle = math.radians(0.25) if name == 'Rotate' else 0.
    if name not in ('ShearX', 'ShearY'):
        assert (a, b, d, e) == pytest.approx(
            (math.cos(angle), -math.sin(angle), math.sin(angle),
             math.cos(angle)))
