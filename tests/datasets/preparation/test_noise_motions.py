"""Kinds of motion: found again by brute force, apart between splits."""
import numpy as np
import pytest
from noise_oracle import find_kind

from mmvideomamba.datasets.preparation import noise_motions
from mmvideomamba.datasets.preparation.noise_motions import (KINDS,
                                                             draw_course,
                                                             make_kind)


@pytest.mark.parametrize('kind', KINDS)
def test_brute_force_finds_the_kind(kind: str) -> None:
    """The set can be solved: each clip of the test split, from its frames."""
    rng = np.random.default_rng(0)
    course = draw_course(rng, 'test', 32, 11)
    assert find_kind(make_kind(rng, kind, course, 32, 12, 1, 1.)) == kind


def test_brute_force_fails_on_shuffled_frames() -> None:
    rng = np.random.default_rng(0)
    found = []
    for kind in KINDS:
        course = draw_course(rng, 'test', 32, 11)
        frames = make_kind(rng, kind, course, 32, 12, 1, 1.)
        found.append(find_kind(rng.permutation(frames)) == kind)
    assert np.mean(found) < .3


def test_splits_share_neither_places_nor_scales() -> None:
    rng = np.random.default_rng(0)
    drawn = {
        split: [draw_course(rng, split, 32, 15) for _ in range(300)]
        for split in noise_motions.SPLITS
    }
    for part in ('centre', 'edge_speed'):
        sets = [{getattr(c, part)
                 for c in courses} for courses in drawn.values()]
        assert len(set.union(*sets)) == sum(map(len, sets)) >= 5
    moments = {c.moment for c in drawn['train']}
    assert min(moments) == 4 and max(moments) == 10


@pytest.mark.parametrize('motion, place, way', [
    ('clockwise', (16, 30), (1, 0)),
    ('counterclockwise', (16, 30), (-1, 0)),
    ('expansion', (30, 16), (1, 0)),
    ('contraction', (30, 16), (-1, 0)),
    ('shear_right', (30, 2), (0, 1)),
    ('shear_left', (30, 2), (0, -1)),
    ('up', (3, 3), (-1, 0)),
    ('right_fast', (3, 3), (0, 1)),
])
def test_names_say_where_things_go(motion, place, way) -> None:
    course = noise_motions.Course((16, 16), 2., 7)
    velocity = noise_motions.flow_of(motion, course, 32, 1).velocity(32)
    assert np.sign(velocity[:, place[0], place[1]]).tolist() == list(way)
    speed = np.hypot(*velocity).max()
    assert speed == {'up': 1, 'right_fast': 2}.get(motion, speed)


def test_what_shuffled_frames_allow() -> None:
    assert noise_motions.played_backwards('clockwise') == 'counterclockwise'
    # A reversal is itself again, and of the orders none is another's.
    assert noise_motions.played_backwards('left_then_right') == \
        'left_then_right'
    assert noise_motions.played_backwards('up_then_left') == ''
    assert noise_motions.shuffled_bound(list(KINDS)) == 11 / 18
    assert noise_motions.shuffled_bound(['left', 'right', 'up']) == 2 / 3
