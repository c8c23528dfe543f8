"""Sets of videos of noise: the same again, no frame tells, bad settings."""
import dataclasses
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from noise_oracle import agreement
from scipy import stats

from mmvideomamba.datasets.preparation import noise_set
from mmvideomamba.datasets.preparation.noise_motions import DIRECTIONS
from mmvideomamba.datasets.preparation.noise_set import (NoiseSettings,
                                                         check_settings,
                                                         clip_name, draw_clip,
                                                         make_noise_set)
from mmvideomamba.datasets.video import open_video

TINY = NoiseSettings('kinds', 36, 18, 18, frames=8, size=16)
LETTERS = NoiseSettings('shapes', 20, 20, 20, frames=4, size=32)


def test_a_set_is_whole_and_made_once(tmp_path: Path) -> None:
    folder = tmp_path / 'set'
    assert make_noise_set(folder, TINY)
    assert not make_noise_set(folder, TINY)
    for split, count in TINY.counts.items():
        lines = (folder / f'{split}.txt').read_text().splitlines()
        paths, labels = zip(*(line.split(' ') for line in lines))
        assert len(set(paths)) == count
        assert set(Counter(labels).values()) == {count // 18}
        assert all((folder / path).is_file() for path in paths)
    assert (folder / 'classes.txt').read_text().split() == list(TINY.names)
    kept = json.loads((folder / 'settings.json').read_text())
    assert kept['task'] == 'kinds' and kept['classes'] == list(TINY.names)
    with open_video(folder / clip_name(TINY, 'test', 7)) as video:
        found = video.get_frames(range(8))
    frames, label = draw_clip(TINY, 'test', 7)
    assert label == 7 and (found == frames[..., None]).all()


def test_workers_and_more_clips_change_no_clip(tmp_path: Path) -> None:
    more = dataclasses.replace(TINY, train=108)
    for name, settings, workers in (('a', TINY, 1), ('b', more, 2)):
        make_noise_set(tmp_path / name, settings, num_workers=workers)
    for split, count in TINY.counts.items():
        for index in range(0, count, 5):
            one, other = ((tmp_path / x /
                           clip_name(TINY, split, index)).read_bytes()
                          for x in 'ab')
            assert one == other
    other_seed = dataclasses.replace(TINY, seed=1)
    frames = [draw_clip(s, 'train', 0)[0] for s in (TINY, other_seed)]
    assert (frames[0] != frames[1]).mean() > .4
    # Nor do two splits share noise.
    assert (draw_clip(TINY, 'val', 0)[0] != frames[0]).mean() > .4


def test_another_set_is_replaced_on_request_alone(tmp_path: Path) -> None:
    make_noise_set(tmp_path / 'set', TINY)
    other = dataclasses.replace(TINY, train=18, coherence=.5)
    with pytest.raises(FileExistsError, match='--overwrite'):
        make_noise_set(tmp_path / 'set', other)
    assert make_noise_set(tmp_path / 'set', other, overwrite=True)
    assert not (tmp_path / 'set' / clip_name(TINY, 'train', 20)).exists()
    (tmp_path / 'mine').mkdir()
    (tmp_path / 'mine/holiday.avi').touch()
    with pytest.raises(FileExistsError, match='not a folder of this tool'):
        make_noise_set(tmp_path / 'mine', TINY, overwrite=True)


def test_a_missing_clip_is_made_again(tmp_path: Path) -> None:
    make_noise_set(tmp_path, TINY)
    (tmp_path / clip_name(TINY, 'val', 3)).unlink()
    assert make_noise_set(tmp_path, TINY)
    assert (tmp_path / clip_name(TINY, 'val', 3)).is_file()


@pytest.mark.parametrize('settings', [TINY, LETTERS])
@pytest.mark.parametrize('coherence', [1., .6])
def test_frames_are_pure_noise_whatever_the_class(settings, coherence) -> None:
    """White cells, and pairs of cells at some distances, by class."""
    settings = dataclasses.replace(settings, size=32, coherence=coherence)
    last = np.stack([
        draw_clip(settings, 'train', i)[0][-1] > 0
        for i in range(6 * len(settings.names))
    ])
    by_class = last.reshape(6, len(settings.names), 32, 32).swapaxes(0, 1)
    statistics = [by_class.mean((1, 2, 3)) * 2 - 1]
    signs = by_class * 2. - 1
    sizes = [by_class[0].size]
    for row, column in ((0, 1), (1, 0), (1, 1), (0, 2), (2, 0), (0, 4), (3,
                                                                         0)):
        products = signs[..., row:,
                         column:] * signs[..., :32 - row, :32 - column]
        statistics.append(products.mean((1, 2, 3)))
        sizes.append(products[0].size)
    scores = np.array(statistics) * np.sqrt(sizes)[:, None]
    # Independent fair bits: each score is nearly standard normal.
    assert np.abs(scores).max() < 4.3
    assert stats.chi2.sf((scores**2).sum(), scores.size) > 1e-3


def test_appearance_is_in_training_alone() -> None:
    shown = dataclasses.replace(LETTERS, appearance=1.)
    hidden, bright = (draw_clip(s, 'train', 3)[0] for s in (LETTERS, shown))
    assert (bright != hidden).mean() > .1
    for split in ('val', 'test'):
        same = [draw_clip(s, split, 3)[0] for s in (LETTERS, shown)]
        assert (same[0] == same[1]).all()


def test_directions_of_a_letter() -> None:
    # Nothing but the noise within the letter moves.
    every = dataclasses.replace(LETTERS, ground='flicker')
    found = []
    for settings in (every, dataclasses.replace(every, directions=('up', ))):
        ways = set()
        for index in range(20):
            frames, _ = draw_clip(settings, 'train', index)
            signs = np.where(frames > 0, 1, -1).astype(np.int8)
            ways.add(
                max(DIRECTIONS,
                    key=lambda x: agreement(signs, *DIRECTIONS[x]).sum()))
        found.append(ways)
    assert found == [set(DIRECTIONS), {'up'}]


def test_cells_are_blocks_of_pixels() -> None:
    frames, _ = draw_clip(
        dataclasses.replace(TINY, size=48, cell=3), 'train', 0)
    assert frames.shape == (8, 48, 48)
    cells = frames[:, ::3, ::3]
    assert (cells.repeat(3, 1).repeat(3, 2) == frames).all()


@pytest.mark.parametrize('task, changes, words', [
    ('kinds', dict(codec='libx264'), 'codec .libx264. is refused'),
    ('kinds', dict(cell=3), '--cell 3 does not divide --size 64'),
    ('kinds', dict(cell=0), '--cell 0 does not divide'),
    ('kinds', dict(cell=8), '8 x 8 cells has too few'),
    ('kinds', dict(frames=7), '--frames 7 is below the 8 of .left_then'),
    ('kinds', dict(frames=1, classes=('up', 'left')), '--frames 1 is below'),
    ('kinds', dict(speed=0), '--speed must be from 1 to 4'),
    ('kinds', dict(speed=5), '--speed must be from 1 to 4.*ambiguous'),
    ('kinds', dict(coherence=0.), '--coherence.*no class can be told'),
    ('kinds', dict(train=100), '--train must be a positive multiple of'),
    ('kinds', dict(classes=('up', )), '--classes must name at least 2'),
    ('kinds', dict(classes=('up', 'A')), r'--classes .*\[.A.\] are not'),
    ('kinds', dict(classes=('up', 'up')), '--classes must be different'),
    ('kinds', dict(appearance=.5), 'belong to a letter'),
    ('kinds', dict(directions=('up', )), 'belong to a letter'),
    ('shapes', dict(directions=('in', )), r'--directions .*\[.in.\]'),
    ('shapes', dict(directions=('up', 'up')), '--directions must be differ'),
    ('kinds', dict(seed=-1), '--seed'),
    ('shapes', dict(ground='wavy'), '--ground must be one of'),
    ('shapes', dict(appearance=2.), '--appearance is a share'),
    ('shapes', dict(cell=4), 'too few noise cells for the letters'),
    ('shapes', dict(speed=7), 'too few noise cells for the letters'),
    ('letters', {}, 'the task must be one of'),
])
def test_bad_settings_are_one_line(task, changes, words) -> None:
    counts = dict(train=180, val=180, test=180)
    settings = NoiseSettings(task, **{**counts, **changes})
    with pytest.raises(ValueError, match=words) as error:
        check_settings(settings)
    assert '\n' not in str(error.value)


def test_files_that_lose_pixels_end_the_run(tmp_path: Path,
                                            monkeypatch) -> None:

    def lossy(frames, path, codec, frame_rate) -> None:
        write(frames // 2, path, codec, frame_rate)

    write = noise_set.write_grey
    monkeypatch.setattr(noise_set, 'write_grey', lossy)
    with pytest.raises(RuntimeError, match='not lossless'):
        make_noise_set(tmp_path / 'set', TINY)
    assert not (tmp_path / 'set/train.txt').exists()
