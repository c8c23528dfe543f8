"""Queries: order, missing videos, the judge, neighbours."""
import os
from pathlib import Path
from typing import Any, List, Tuple

import numpy as np
import pytest
from fake_video_text import FakePredictor, unit

from mmvideomamba.inference.search import Hits, VideoIndex


def short(hits: Hits) -> List[Tuple[str, int]]:
    return [(Path(one.video).name, one.window) for one in hits]


def test_order_and_times(index: VideoIndex, model: Any) -> None:
    hits = index.query('right', 3, predictor=model)
    assert short(hits) == [('a.mp4', 0), ('a.mp4', 1), ('a.mp4', 2)]
    assert hits[0].score == pytest.approx(1) and hits[0].probability is None
    assert (hits[1].start, hits[1].end) == (10, 20)
    assert hits[1].score == pytest.approx(1 / np.hypot(1, .1))
    assert hits.messages() == []
    every = index.query(unit([1, 0])[0], 100)
    assert len(every) == 6 and short(every)[-1] == ('c.mp4', 0)
    once = index.query('right', 9, predictor=model, per_video=1)
    assert short(once) == [('a.mp4', 0), ('b.mp4', 0), ('c.mp4', 1)]


def test_one_of_a_long_video(index: VideoIndex, videos: Path,
                             model: Any) -> None:
    """The best window of each video is found, despite 500 windows of one."""
    (videos / 'long.mp4').write_text('1 0\n' * 500)
    index.add(videos, model)
    hits = index.query('right', 4, predictor=model, per_video=1)
    assert [name for name, _ in short(hits)
            ] == ['a.mp4', 'long.mp4', 'b.mp4', 'c.mp4']


def test_gone_and_changed(index: VideoIndex, videos: Path, model: Any) -> None:
    (videos / 'a.mp4').unlink()
    (videos / 'b.mp4').write_text('0 1\n0 1\n')
    hits = index.query('up', 2, predictor=model)
    assert short(hits) == [('b.mp4', 0), ('c.mp4', 1)]
    gone, changed = hits.messages()
    assert gone.startswith('1 videos are removed since, and left out')
    assert str(videos / 'a.mp4') in gone and 'b.mp4' in changed
    for path in videos.rglob('*.mp4'):
        path.unlink()
    hits = index.query('up', predictor=model)
    assert not hits and len(hits.missing) == 3


@pytest.mark.parametrize('tokens', [True, False])
def test_judge(index: VideoIndex, videos: Path, model: Any, tmp_path: Path,
               tokens: bool) -> None:
    """The judge of the stand-in prefers late windows."""
    if not tokens:
        index = VideoIndex.create(tmp_path / 'other', model)
        index.add(videos, model)
    model.read.clear()
    hits = index.query('right', 4, rerank=3, predictor=model)
    assert short(hits) == [('a.mp4', 2), ('a.mp4', 1), ('a.mp4', 0),
                           ('b.mp4', 0)]
    # Order by the logits; the stand-in's probabilities are the other way
    # round.
    found = [one.probability for one in hits[:3]]
    assert found == pytest.approx([.98, .99, 1], abs=1e-3)
    assert hits[3].probability is None
    assert model.read == ([] if tokens else ['a.mp4'])
    assert len(hits.notes) == (0 if tokens else 1)
    if tokens:
        return
    (videos / 'a.mp4').write_text('1 0\n')
    hits = index.query('right', 4, rerank=4, predictor=model)
    assert short(hits)[0] == ('b.mp4', 0)  # the only judged video
    assert 'has 1 windows now, but 3 in the index' in hits.notes[1]


def test_neighbours(index: VideoIndex, videos: Path) -> None:
    vectors = unit([[0, 1], [-1, 0]])
    hits = index.neighbours(vectors, 3)
    assert short(hits) == [('b.mp4', 0), ('c.mp4', 0), ('a.mp4', 2)]
    other = index.neighbours(vectors, 9, 1,
                             [os.path.relpath(videos / 'b.mp4')])
    assert short(other) == [('c.mp4', 0), ('a.mp4', 2)]


def test_refusals(index: VideoIndex, tmp_path: Path, model: Any) -> None:
    empty = VideoIndex.create(tmp_path / 'empty', model)
    with pytest.raises(ValueError, match='is an empty index; fill it by'):
        empty.query('up', predictor=model)
    with pytest.raises(ValueError, match='and the model reads 5'):
        index.query('up up up up up up', predictor=model)
    with pytest.raises(ValueError, match='topk must be at least 1, but is 0'):
        index.query('up', 0, predictor=model)
    with pytest.raises(ValueError, match='judge needs a sentence'):
        index.query(unit([1, 0])[0], rerank=3, predictor=model)
    with pytest.raises(ValueError, match=r'\(1, 3\) do not fit'):
        index.query(np.ones(3))
    model.can = frozenset(['search'])
    with pytest.raises(ValueError, match='the model has no judge'):
        index.query('up', rerank=2, predictor=model)
    model.token_shape = None
    with pytest.raises(ValueError, match='no judge that could use'):
        VideoIndex.create(tmp_path / 'x', model, tokens=True)
    assert FakePredictor().fingerprint == model.fingerprint
