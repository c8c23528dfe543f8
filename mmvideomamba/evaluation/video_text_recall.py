"""Recall of videos by texts, and of texts by videos."""
from itertools import groupby
from math import comb
from typing import Any, Dict, List, Optional, Sequence

import torch
from mmengine.evaluator import BaseMetric

from mmvideomamba.registry import METRICS

CHUNK = 2**18  # scores compared at a time, 1 MiB of float32


def expected_hit(better: int, right: int, wrong: int, k: int) -> float:
    """Return the chance of a right item among the first k.

    Args:
        better (int): Wrong items with a higher score than the best right item.
        right (int): Right items with the best right item's score.
        wrong (int): Wrong items with the best right item's score.
        k (int): Places.

    Returns:
        float: Over all orders of the items of equal score.
    """
    places = max(0, k - better)
    # In random order, all of the places left go to wrong items in C(wrong,
    # places) of C(tied, places) cases.
    tied = right + wrong
    places = min(places, tied)
    return 1 - comb(wrong, places) / comb(tied, places)


@METRICS.register_module()
class VideoTextRecall(BaseMetric):
    """Share of queries, in percent, with a right item among the first k.

    Of several right items of a query the best counts. Items of equal score
    count as if in random order: a model with equal scores for all items gets
    the recall of chance.

    The retrieval loops feed the metric with dicts of ``group`` (str), for
    example 't2v' for videos found by a text, ``scores`` (Tensor, a score per
    item) and ``positives`` (the right items). The result has ``GROUP/R@K``;
    ``GROUP/mR``, the mean over k; ``mean_recall``, the mean of the mR of the
    ``primary`` groups; and ``mean_recall_emb``, the same mean over the groups
    named with ``_emb`` at the end, where the encoders alone score.

    Args:
        topk (Sequence[int]): Values of k. Defaults to (1, 5, 10).
        primary (Sequence[str]): Groups of ``mean_recall``. Defaults to
            ('t2v', 'v2t').
        collect_device (str): See ``BaseMetric``. Defaults to 'cpu'.
        prefix (str, optional): See ``BaseMetric``. Defaults to None.
        collect_dir (str, optional): See ``BaseMetric``. Defaults to None.

    Raises:
        ValueError: If a k is below 1.
    """

    def __init__(
        self,
        topk: Sequence[int] = (1, 5, 10),
        primary: Sequence[str] = ('t2v', 'v2t'),
        collect_device: str = 'cpu',
        prefix: Optional[str] = None,
        collect_dir: Optional[str] = None,
    ) -> None:
        super().__init__(collect_device, prefix, collect_dir)
        if not topk or min(topk) < 1:
            raise ValueError('topk of VideoTextRecall must hold numbers from '
                             f'1 on, but is {topk}')
        self.topk, self.primary = tuple(topk), tuple(primary)

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Take queries.

        Args:
            data_batch (Any): Unused.
            data_samples (Sequence[dict]): See the class.

        Raises:
            ValueError: If a score is NaN, or a query has no right item or a
                right item out of range.
        """
        for size, queries in groupby(data_samples, lambda q: len(q['scores'])):
            rows = list(queries)
            step = max(1, CHUNK // max(1, size))
            for start in range(0, len(rows), step):
                self._take(rows[start:start + step])

    def _take(self, queries: List[dict]) -> None:
        """Count better, right and wrong items of queries of equal length."""
        scores = torch.stack([query['scores'] for query in queries])
        if torch.isnan(scores).any():
            raise ValueError('a score of the retrieval is NaN: the model has '
                             'diverged, or its weights are damaged')
        size = scores.shape[1]
        places = []
        for row, query in enumerate(queries):
            # A right item listed twice would count twice among the ties.
            right = set(query['positives'])
            if not right or min(right) < 0 or max(right) >= size:
                raise ValueError(
                    f'a query has the right items {list(query["positives"])} '
                    f'of {size}; give at least one, all from 0 to {size - 1}')
            places += [(row, item) for item in right]
        at, items = torch.tensor(places).t()
        found = scores[at, items]
        # Without include_self=False, the zeros would beat negative scores.
        best = scores.new_zeros(len(queries)).scatter_reduce_(
            0, at, found, 'amax', include_self=False)
        same_right = torch.zeros(len(queries), dtype=torch.long)
        same_right.index_add_(0, at, (found == best[at]).long())
        better = (scores > best[:, None]).sum(1)
        same = (scores == best[:, None]).sum(1)
        # (q, 3)
        counts = torch.stack([better, same_right, same - same_right], 1)
        self.results += [(query['group'], *count)
                         for query, count in zip(queries, counts.tolist())]

    def compute_metrics(self, results: List[tuple]) -> Dict[str, float]:
        """Average over the queries.

        Args:
            results (list[tuple]): Group and counts of each query.

        Returns:
            dict[str, float]: See the class.
        """
        metrics: Dict[str, float] = {}
        groups = sorted({group for group, *_ in results})
        for group in groups:
            counts = [rest for name, *rest in results if name == group]
            recalls = [
                100 * sum(
                    expected_hit(better, right, wrong, k)
                    for better, right, wrong in counts) / len(counts)
                for k in self.topk
            ]
            metrics.update({
                f'{group}/R@{k}': recall
                for k, recall in zip(self.topk, recalls)
            })
            metrics[f'{group}/mR'] = sum(recalls) / len(recalls)
        for end in ('', '_emb'):
            means = [
                metrics[f'{g}{end}/mR'] for g in self.primary
                if f'{g}{end}' in groups
            ]
            if means:
                metrics[f'mean_recall{end}'] = sum(means) / len(means)
        return metrics
