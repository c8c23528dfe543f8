"""Exact search by blocks equals a sort of all cosines."""
from pathlib import Path

import numpy as np
import pytest

from mmvideomamba.inference.search.exact_search import ExactSearcher


@pytest.mark.parametrize('dtype', [np.float32, np.float16])
@pytest.mark.parametrize('total, topk, rows', [(1, 3, 4), (100, 7, 9),
                                               (100, 100, 30), (64, 5, 64)])
def test_equals_sort(tmp_path: Path, dtype: type, total: int, topk: int,
                     rows: int) -> None:
    rng = np.random.default_rng(0)
    vectors: np.ndarray = rng.standard_normal((total, 8)).astype(dtype)
    vectors[total // 2:] = vectors[:total - total // 2]  # equal scores
    vectors.tofile(tmp_path / 'x')
    queries = rng.standard_normal((3, 8)).astype(np.float32)
    searcher = ExactSearcher(block_bytes=rows * 8 * 4)
    searcher.build(
        np.memmap(tmp_path / 'x', dtype, 'r', shape=vectors.shape), None)
    scores, found = searcher.search(queries, topk)
    assert scores.shape == found.shape == (3, min(topk, total))
    every = queries @ vectors.astype(np.float32).T
    for i in range(3):
        best = np.sort(every[i])[::-1][:topk]
        np.testing.assert_allclose(scores[i], best, rtol=1e-5)
        np.testing.assert_allclose(every[i][found[i]], scores[i], rtol=1e-5)
        assert len(set(found[i].tolist())) == len(found[i])


def test_first_of_equals() -> None:
    searcher = ExactSearcher(block_bytes=3 * 2 * 4)
    searcher.build(np.ones((11, 2), np.float32), None)
    _, rows = searcher.search(np.ones((1, 2)), 4)
    assert rows.tolist() == [[0, 1, 2, 3]]


def test_memory_is_bounded(tmp_path: Path) -> None:
    """A search of 64 MB holds a block, not the matrix."""
    tracemalloc = pytest.importorskip('tracemalloc')
    path = tmp_path / 'x'
    with open(path, 'wb') as file:
        file.truncate(64 << 20)
    searcher = ExactSearcher(block_bytes=1 << 20)
    searcher.build(np.memmap(path, np.float16, 'r').reshape(-1, 64), None)
    tracemalloc.start()
    try:
        searcher.search(np.ones((1, 64)), 10)
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()
