"""Exact search: all cosines, a block of the matrix at a time."""
from pathlib import Path
from typing import Iterator, List, Optional, Tuple

import numpy as np
import torch

# Of float32 numbers: larger blocks leave the cache of the processor.
BLOCK_BYTES = 4 << 20


class _Best:
    """The best rows so far for a query; of equals, the first row.

    Args:
        topk (int): Number of rows.
    """

    def __init__(self, topk: int) -> None:
        self.topk = topk
        self.scores = np.empty(0, np.float32)
        self.rows = np.empty(0, np.int64)

    def add(self, scores: np.ndarray, first: int) -> None:
        """Take the scores of a block.

        Args:
            scores (np.ndarray): Shape (n, ), float32.
            first (int): Row of the first score.
        """
        if len(self.scores) < self.topk:
            found = np.arange(len(scores))
        else:  # a later row of equal score is no better
            found = np.flatnonzero(scores > self.scores[-1])
        if not len(found):
            return
        # A partition takes linear time, a sort of a whole block does not. Rows
        # equal to the least stay, since the first of equals wins below.
        if len(found) > self.topk:
            values = scores[found]
            least = np.partition(values, -self.topk)[-self.topk]
            found = found[values >= least]
        self.scores = np.concatenate([self.scores, scores[found]])
        self.rows = np.concatenate([self.rows, found + first])
        order = np.argsort(-self.scores, kind='stable')[:self.topk]
        self.scores, self.rows = self.scores[order], self.rows[order]


def _blocks(vectors: np.ndarray, step: int) -> Iterator[np.ndarray]:
    """Yield blocks of rows in float32; a block is overwritten by the next."""
    if vectors.dtype == np.float32:
        for first in range(0, len(vectors), step):
            yield np.asarray(vectors[first:first + step])
        return
    # torch converts half precision ten times as fast as numpy.
    half = torch.empty(min(step, len(vectors)), vectors.shape[1]).half()
    full = torch.empty_like(half, dtype=torch.float32)
    for first in range(0, len(vectors), step):
        rows = vectors[first:first + step]
        np.copyto(half.numpy()[:len(rows)], rows)
        yield full[:len(rows)].copy_(half[:len(rows)]).numpy()


class ExactSearcher:
    """Compare a query with every vector.

    The matrix stays on the disk in a memory map; a block of
    at most ``block_bytes`` is in work.

    Args:
        block_bytes (int): Of float32 numbers. Defaults to 4 MiB.
    """

    def __init__(self, block_bytes: int = BLOCK_BYTES) -> None:
        self.block_bytes = block_bytes
        self.vectors: Optional[np.ndarray] = None

    def build(self, vectors: np.ndarray, folder: Optional[Path]) -> None:
        """Take the vectors; see ``Searcher``."""
        self.vectors = vectors

    def search(self, queries: np.ndarray,
               topk: int) -> Tuple[np.ndarray, np.ndarray]:
        """Find the best rows; see ``Searcher``."""
        assert self.vectors is not None, 'build comes first'
        total, dim = self.vectors.shape
        queries = np.ascontiguousarray(queries, np.float32)
        best: List[_Best] = [_Best(min(topk, total)) for _ in queries]
        step = max(1, self.block_bytes // (4 * dim))
        for number, block in enumerate(_blocks(self.vectors, step)):
            # (q, c) and (rows, c) to (q, rows).
            for one, scores in zip(best, queries @ block.T):
                one.add(scores, number * step)
        if not best:
            return (np.empty((0, 0), np.float32), np.empty((0, 0), np.int64))
        return (np.stack([one.scores for one in best]),
                np.stack([one.rows for one in best]))
