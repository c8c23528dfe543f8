"""Clips of disc and square fit their captions, and words leak nothing."""
from itertools import combinations as pairs_of

import numpy as np
import pytest

from mmvideomamba.datasets.preparation import quickstart_objects as objects

pytest.importorskip('skimage', reason='the extra quickstart is not installed')

ONE = objects.Combination('red', 'blue', 'left', 'grass')


def test_each_split_has_combinations_of_its_own() -> None:
    splits = objects.combinations()
    assert {
        split: len(ones)
        for split, ones in splits.items()
    } == dict(
        train=192, val=64, test=64)
    ones = [one for split in splits.values() for one in split]
    assert len({one.name for one in ones}) == len(set(ones)) == len(ones)
    for i, j in pairs_of(range(4), 2):
        trained = {(one[i], one[j]) for one in splits['train']}
        for split in ('val', 'test'):
            assert {(one[i], one[j]) for one in splits[split]} <= trained


@pytest.mark.parametrize('split', ['val', 'test'])
def test_no_word_follows_from_the_others(split: str) -> None:
    """A guess of a word from another word of the caption is at chance.

    The guess is the most frequent partner in the split, without the clip
    itself.
    """
    ones = objects.combinations()[split]
    choices = (4, 4, 4, 4)  # colours other than the second colour; places
    for i in range(4):
        for j in range(4):
            if i == j:
                continue
            right = 0.
            for one in ones:
                same = [x[i] for x in ones if x[j] == one[j] and x != one]
                top = max(map(same.count, set(same)))
                best = [x for x in set(same) if same.count(x) == top]
                right += (one[i] in best) / len(best)
            assert right / len(ones) < 1 / choices[i] + 0.1


def test_captions() -> None:
    texts = objects.captions(ONE)
    assert texts[0] == ('a red disc moves past a blue square at the left over '
                        'grass')
    assert texts[2] == ('a blue square rests at the left of grass while a red '
                        'disc moves')
    assert len(set(texts)) == 4


def test_options_do_not_fit() -> None:
    for seed in range(8):
        right, *wrong = objects.options(ONE, np.random.default_rng(seed))
        assert right in objects.captions(ONE)
        assert len(wrong) == 4 and len({right, *wrong}) == 5
        assert not set(wrong) & set(objects.captions(ONE))
        # The colours exchanged: the same words.
        assert sorted(wrong[-1].split()) == sorted(right.split())


def test_questions() -> None:
    assert dict(objects.questions(ONE)) == {
        'what colour is the disc': 'red',
        'what moves': 'a red disc',
        'what colour is the square': 'blue',
        'what rests at the left': 'a blue square',
        'where is the square': 'left',
        'what is the ground': 'grass',
    }


@pytest.mark.parametrize('place, axis, sign', [('left', 1, -1),
                                               ('right', 1, 1), ('top', 0, -1),
                                               ('bottom', 0, 1)])
def test_the_square_rests_at_its_place(place: str, axis: int,
                                       sign: int) -> None:
    for seed in range(4):
        frames = objects.render(
            ONE._replace(place=place), np.random.default_rng(seed))
        assert 16 <= len(frames) < 25
        # The disc may hide a part of the square for some frames.
        at = np.median(centres(frames, 0), 0) - 48
        assert sign * at[axis] > 20 and abs(at[1 - axis]) < 12


def test_the_disc_moves_in_all_directions() -> None:
    ways = set()
    for seed in range(24):
        frames = objects.render(ONE, np.random.default_rng(seed))
        first, last = centres(frames[[0, -1]], 2)
        moved = last - first
        axis = int(np.argmax(abs(moved)))
        assert abs(moved[axis]) > 40
        ways.add((axis, moved[axis] > 0))
    assert len(ways) == 4


def centres(frames: np.ndarray, channel: int) -> np.ndarray:
    """Find the middle of the red or blue pixels of each frame."""
    frames = frames.astype(int)
    mask = frames[..., channel] - np.delete(frames, channel, -1).max(-1) > 60
    return np.stack([np.argwhere(frame).mean(0) for frame in mask])


def test_disc_and_square_differ_in_shape() -> None:
    rng = np.random.default_rng(0)
    for shape, corner in (('disc', 0), ('square', 1)):
        cutout = objects.make_shape(rng, shape, 'red', 96)
        top, left = np.argwhere(cutout[..., 3] > 0.5).min(0) + 1
        assert (cutout[top, left, 3] > 0.5) == corner
