"""The best windows of an index for vectors."""
import os
from typing import (Dict, Iterator, List, NamedTuple, Optional, Sequence, Set,
                    Tuple)

import numpy as np

from .hits import Hit, Hits
from .records import VideoRecord, stamp_of
from .searchers import Searcher
from .store import Store


class Candidate(NamedTuple):
    """A window found by a query.

    Args:
        record (VideoRecord): Of the video.
        row (int): In the matrix.
        score (float): Cosine.
        probability (float, optional): By the judge. Defaults to None.
        logit (float, optional): Of a pair, by the judge. Defaults to None.
    """
    record: VideoRecord
    row: int
    score: float
    probability: Optional[float] = None
    logit: Optional[float] = None


class Owners:
    """The video of each row; none for rows of dropped videos.

    Args:
        store (Store): Of the index.
    """

    def __init__(self, store: Store) -> None:
        held = [one for one in store.records.values() if one.windows]
        held.sort(key=lambda one: one.first)
        self._records = held
        self._firsts = np.array([one.first for one in held], np.int64)

    def find(self, row: int) -> Optional[VideoRecord]:
        """Return the video of a row.

        Args:
            row (int): In the matrix.

        Returns:
            VideoRecord, optional: None for a dropped video.
        """
        place = int(np.searchsorted(self._firsts, row, 'right')) - 1
        if place < 0:
            return None
        record = self._records[place]
        return record if row < record.first + record.windows else None


def _merge(scores: np.ndarray, rows: np.ndarray,
           topk: int) -> Tuple[np.ndarray, np.ndarray]:
    """Join the results of several queries: the best cosine of a row counts.

    The best ``topk`` of all are among the best ``topk`` of each.
    """
    scores, rows = scores.reshape(-1), rows.reshape(-1)
    # A vector library may find fewer rows, and marks the rest by -1.
    known = rows >= 0
    scores, rows = scores[known], rows[known]
    order = np.lexsort((rows, -scores))
    scores, rows = scores[order], rows[order]
    # The first place of a row in the order holds the best cosine of the row.
    _, first = np.unique(rows, return_index=True)
    first = np.sort(first)[:topk]
    return scores[first], rows[first]


def _ranked(searcher: Searcher, queries: np.ndarray, start: int,
            total: int) -> Iterator[Tuple[int, float]]:
    """Yield rows and cosines, the best first, as many as are asked for."""
    seen: Set[int] = set()
    topk = min(total, start)
    while True:
        scores, rows = _merge(*searcher.search(queries, topk), topk)
        for row, score in zip(rows.tolist(), scores.tolist()):
            if row not in seen:
                seen.add(row)
                yield row, score
        if topk >= total or len(rows) < topk:
            return
        # Rows of dropped, missing and left out videos have used up places.
        topk = min(total, 4 * topk)


class Ranking:
    """Candidates for a query.

    Args:
        store (Store): Of the index.
        owners (Owners): Of the rows.
        searcher (Searcher): Built with the vectors of the store.
    """

    def __init__(self, store: Store, owners: Owners,
                 searcher: Searcher) -> None:
        self.store, self.owners, self.searcher = store, owners, searcher
        self.missing: Dict[str, None] = {}

    def best(
        self,
        queries: np.ndarray,
        count: int,
        per_video: Optional[int] = None,
        leave_out: Sequence[str] = ()
    ) -> List[Candidate]:
        """Find the best windows of existing videos.

        Args:
            queries (np.ndarray): Unit vectors, (q, embed_dim); a window
                counts by its best cosine.
            count (int): Number of windows.
            per_video (int, optional): Windows of a video at most. Defaults to
                None, no limit.
            leave_out (Sequence[str]): Paths of videos without hits. Defaults
                to ().

        Returns:
            list[Candidate]: The best first.
        """
        found: List[Candidate] = []
        total = self.store.rows
        if not total:
            return found
        # A count beyond any limit leaves a video without hits.
        taken: Dict[str, int] = {path: 1 << 62 for path in leave_out}
        limit = total if per_video is None else per_video
        there: Dict[str, bool] = {}
        # Some rows more than asked for, as dropped videos still have rows.
        for row, score in _ranked(self.searcher, queries, 2 * count + 16,
                                  total):
            record = self.owners.find(row)
            if record is None or taken.get(record.path, 0) >= limit:
                continue
            path = record.path
            # The file system is asked for each video, not for each window.
            if path not in there:
                there[path] = os.path.exists(path)
            if not there[path]:
                self.missing[path] = None
                continue
            taken[path] = taken.get(path, 0) + 1
            found.append(Candidate(record, row, score))
            if len(found) == count:
                break
        return found

    def hits(self,
             candidates: Sequence[Candidate],
             notes: Optional[Sequence[str]] = None) -> Hits:
        """Turn candidates into hits.

        Args:
            candidates (Sequence[Candidate]): The best first.
            notes (Sequence[str], optional): For the user. Defaults to None.

        Returns:
            Hits: The same.
        """
        windows = self.store.windows()
        hits = []
        changed: Dict[str, None] = {}
        for one in candidates:
            record = one.record
            start, end = windows[one.row].tolist()
            hits.append(
                Hit(record.path, start, end, one.score, one.probability,
                    one.row - record.first))
            if stamp_of(record.path) != record.stamp:
                changed[record.path] = None
        return Hits(hits, list(self.missing), list(changed), notes or [])
