"""The hook for a vector library."""
import os
import re
from pathlib import Path
from typing import Any, List, Optional, Tuple

import numpy as np
import pytest
from fake_video_text import unit

from mmvideomamba.inference.search import VideoIndex

DOCS = Path(__file__).parents[3] / 'docs/search.md'
builds: List[Tuple[int, bool]] = []


class Sorting:
    """Sorts all scores; rows beyond are -1; keeps a file."""

    def build(self, vectors: np.ndarray, folder: Optional[Path]) -> None:
        assert folder is not None
        self.vectors = vectors
        builds.append((len(vectors), (folder / 'x').exists()))
        (folder / 'x').touch()

    def search(self, queries: np.ndarray,
               topk: int) -> Tuple[np.ndarray, np.ndarray]:
        scores = queries @ self.vectors.T
        rows = np.argsort(-scores, 1)[:, :topk]
        return np.take_along_axis(scores, rows, 1), rows


class Failing(Sorting):
    """Ends in the midst of a build."""

    def build(self, vectors: np.ndarray, folder: Optional[Path]) -> None:
        super().build(vectors, folder)
        raise KeyboardInterrupt


def test_named_class(index: VideoIndex, videos: Path, model: Any) -> None:
    """Built once for each state of the index; old files go."""
    builds.clear()
    name = f'{__name__}:Sorting'
    expected = index.query(unit([1, 0])[0], 4)
    kept = index.folder / 'searchers' / name.replace(':', '.')
    for _ in range(2):
        named = VideoIndex.open(index.folder, searcher=name)
        assert named.query(unit([1, 0])[0], 4) == expected
        assert named.neighbours(unit([1, 0]), 4) == expected
    with pytest.raises(KeyboardInterrupt):
        VideoIndex.open(
            index.folder,
            searcher=f'{__name__}:Failing').query(unit([1, 0])[0])
    assert os.listdir(index.folder / f'searchers/{__name__}.Failing') == []
    (videos / 'd.mp4').write_text('1 0\n')
    index.add(videos, model)
    VideoIndex.open(index.folder, searcher=name).query(unit([1, 0])[0])
    assert builds == [(6, False), (6, True), (6, False), (7, False)]
    assert os.listdir(kept) == ['1-7']


@pytest.mark.parametrize('name, error', [
    ('faiss', "must be 'exact' or"),
    ('no.such:Class', 'cannot be loaded: No module'),
    (f'{__name__}:Nothing', 'cannot be loaded'),
    ('pathlib:Path', 'lacks the method build'),
])
def test_wrong_names(index: VideoIndex, name: str, error: str) -> None:
    with pytest.raises(ValueError, match=error):
        VideoIndex.open(index.folder, searcher=name)


def test_example_of_the_docs(index: VideoIndex, tmp_path: Path,
                             monkeypatch: pytest.MonkeyPatch) -> None:
    """The class in docs/search.md works, from the folder of work."""
    pytest.importorskip('faiss', reason='faiss is not installed')
    code, = re.findall(r'```python\n(# my_faiss.py\n.*?)```', DOCS.read_text(),
                       re.S)
    (tmp_path / 'my_faiss.py').write_text(code)
    monkeypatch.chdir(tmp_path)
    expected = index.query(unit([1, 0])[0], 4)
    for _ in range(2):  # built, and read back
        hits = VideoIndex.open(
            index.folder, searcher='my_faiss:Faiss').query(unit([1, 0])[0], 4)
        assert [one[:3] for one in hits] == [one[:3] for one in expected]
        np.testing.assert_allclose([one.score for one in hits],
                                   [one.score for one in expected],
                                   atol=1e-6)
