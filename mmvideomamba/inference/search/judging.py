"""Candidates in the order of the judge."""
import math
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from .ranking import Candidate
from .settings import Settings
from .store import Store

BATCH = 16  # windows at a time
Pair = Tuple[float, float]  # probability and logit


class Judged(NamedTuple):
    """Candidates after the judge.

    Args:
        candidates (list[Candidate]): By the logit of a pair, as tools/test.py
            orders them; then, by cosine, the candidates without a judgement.
        notes (list[str]): For the user.
    """
    candidates: List[Candidate]
    notes: List[str]


def _judgements(tokens: Any, text: str, predictor: Any) -> List[Pair]:
    """Judge windows, a few at a time."""
    found: List[Pair] = []
    for first in range(0, len(tokens), BATCH):
        part = np.asarray(tokens[first:first + BATCH])
        both = predictor.judge(part, [text])
        found += zip(both.probabilities[:, 0].tolist(),
                     both.logits[:, 0].tolist())
    return found


def _from_store(candidates: Sequence[Candidate], text: str, predictor: Any,
                tokens: np.ndarray) -> List[Optional[Pair]]:
    """Judge by the tokens in the index."""
    found: List[Optional[Pair]] = []
    for first in range(0, len(candidates), BATCH):
        rows = [one.row for one in candidates[first:first + BATCH]]
        # Few rows (n, tokens, channels) are read from the mapped file at a
        # time.
        part = np.stack([tokens[row] for row in rows])
        found += _judgements(part, text, predictor)
    return found


def _from_videos(candidates: Sequence[Candidate], text: str, predictor: Any,
                 settings: Settings, notes: List[str]) -> List[Optional[Pair]]:
    """Judge by tokens computed from the videos now."""
    wanted: Dict[str, List[int]] = {}
    for i, one in enumerate(candidates):
        wanted.setdefault(one.record.path, []).append(i)
    found: List[Optional[Pair]] = [None] * len(candidates)
    embeddings = predictor.embed_videos(
        list(wanted),
        window=settings.window,
        stride=settings.stride,
        tokens=True)
    for one in embeddings:
        numbers = wanted[str(one.input)]
        record = candidates[numbers[0]].record
        if one.error is not None:
            notes.append(f'not judged: {one.error}')
        elif len(one.starts) != record.windows:
            notes.append(f'not judged: {record.path} has '
                         f'{len(one.starts)} windows now, but '
                         f'{record.windows} in the index')
        else:
            rows = [candidates[i].row - record.first for i in numbers]
            part = np.stack([one.tokens[row] for row in rows])
            values = _judgements(part, text, predictor)
            for i, value in zip(numbers, values):
                found[i] = value
    return found


def judge(candidates: Sequence[Candidate], text: str, predictor: Any,
          store: Store) -> Judged:
    """Order candidates by the judge.

    Args:
        candidates (Sequence[Candidate]): The best by cosine.
        text (str): The sentence.
        predictor (VideoTextPredictor): The model.
        store (Store): Of the index.

    Returns:
        Judged: The same candidates.

    Raises:
        ValueError: If the model has no judge.
    """
    if 'rerank' not in predictor.can:
        raise ValueError('the model has no judge, so nothing can be ranked '
                         'again; leave the re-ranking out')
    notes: List[str] = []
    if not candidates:
        return Judged([], notes)
    tokens = store.tokens()
    if tokens is not None:
        values = _from_store(candidates, text, predictor, tokens)
    else:
        videos = len({one.record.path for one in candidates})
        notes.append('the index holds no visual tokens: those of '
                     f'{len(candidates)} windows are computed from {videos} '
                     'videos; an index made with tokens answers at once')
        values = _from_videos(candidates, text, predictor, store.settings,
                              notes)
    judged = [
        one if pair is None else one._replace(
            probability=pair[0], logit=pair[1])
        for one, pair in zip(candidates, values)
    ]
    # Stable: equal logits keep the order of the cosines.
    judged.sort(
        key=lambda one: -math.inf if one.logit is None else one.logit,
        reverse=True)
    return Judged(judged, notes)
