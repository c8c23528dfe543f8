"""Scores of all videos and texts of a set, spread over the processes."""
import sys
from typing import Any, Dict, List, NamedTuple, Sequence, Tuple

import torch
from mmengine import dist
from mmengine.logging import print_log
from mmengine.utils import ProgressBar
from torch import Tensor

from .losses import similarity

UNRANKED = -100.


class RetrievalScores(NamedTuple):
    """Scores of V videos and T texts, float32, on the CPU.

    Args:
        dual (Tensor): Cosines of the two encoders, shape (V, T).
        v2t (Tensor): Logits of the judge for the texts that are nearest to
            each video, -100 for the others, shape (V, T).
        t2v (Tensor): The same for the videos that are nearest to each text,
            shape (T, V).
    """
    dual: Tensor
    v2t: Tensor
    t2v: Tensor


class RetrievalScorer:
    """Encode videos one batch after the other, then score them all.

    A process keeps the tokens of the videos that it encoded, and judges
    their pairs, whichever direction needs them; what it sends is features
    and scores. A pair that both directions need is judged once. Batches are
    made within a video, so that they do not depend on the number of
    processes.

    Args:
        model (VideoTextModel): In evaluation mode.
        topk (int): Nearest candidates to judge, for each query; 0 for none.
            Defaults to 128.
        pair_batch (int): Pairs judged at a time. Defaults to 64.
        text_batch (int): Texts encoded at a time. Defaults to 256.
        storage (str): Device that keeps tokens meanwhile. Defaults to 'cpu'.
        progress (bool): Whether the first process shows a bar. Defaults to
            True.

    Raises:
        ValueError: If a number is too small.
    """

    def __init__(self,
                 model: Any,
                 topk: int = 128,
                 pair_batch: int = 64,
                 text_batch: int = 256,
                 storage: str = 'cpu',
                 progress: bool = True) -> None:
        for name, value, least in (('topk', topk, 0), ('pair_batch',
                                                       pair_batch, 1),
                                   ('text_batch', text_batch, 1)):
            if value < least:
                raise ValueError(f'{name} of the retrieval must be at least '
                                 f'{least}, but is {value}')
        self.model, self.topk = model, topk
        self.pair_batch, self.text_batch = pair_batch, text_batch
        self.storage, self.progress = storage, progress
        self.tokens: Dict[int, Tensor] = {}
        self.features: Dict[int, Tensor] = {}

    @torch.no_grad()
    def add_videos(self, inputs: Tensor, ids: Sequence[int]) -> None:
        """Encode a batch of videos.

        Args:
            inputs (Tensor): See ``VideoTextModel``.
            ids (Sequence[int]): Position of each in the set.
        """
        vision = self.model.encode_videos(inputs)
        features = self.model.vision_proj(vision.pooled).float().cpu()
        for i, video in enumerate(ids):
            self.features[video] = features[i]
            if self.topk:
                # A copy, so that the batch can be freed.
                self.tokens[video] = vision.tokens[i].to(
                    self.storage, copy=True)

    def renumber(self, videos: Sequence[int]) -> None:
        """Give the videos new positions, where some of the set are left out.

        Args:
            videos (Sequence[int]): Old positions of the remaining videos, in
                their new order.
        """
        places = {video: place for place, video in enumerate(videos)}
        for held in (self.features, self.tokens):
            new = {places[video]: value for video, value in held.items()}
            held.clear()
            held.update(new)

    @torch.no_grad()
    def score(self, texts: Sequence[str]) -> RetrievalScores:
        """Score all videos of all processes with all texts.

        Args:
            texts (Sequence[str]): All T texts, the same on each process.

        Returns:
            RetrievalScores: The same on each process.

        Raises:
            ValueError: If a video of the set is missing or no text is given.
        """
        features = _merge(dist.all_gather_object(self.features))
        if not texts or not features:
            raise ValueError(f'retrieval needs videos and texts, but has '
                             f'{len(features)} and {len(texts)}')
        lost = set(range(max(features) + 1)) - set(features)
        if lost:
            raise ValueError(f'{len(lost)} videos were not encoded, the first '
                             f'is number {min(lost)}')
        hidden, mask, text_features = self._encode_texts(texts)
        videos = torch.stack([features[i] for i in range(len(features))])
        dual = similarity(videos, text_features)
        if not self.topk:
            empty = torch.full_like(dual, UNRANKED)
            return RetrievalScores(dual, empty, empty.t())
        near_texts, near_videos = self._nearest(dual), self._nearest(dual.t())
        logits = self._judge(near_texts | near_videos.t(), hidden, mask)
        return RetrievalScores(dual, logits.masked_fill(~near_texts, UNRANKED),
                               logits.t().masked_fill(~near_videos, UNRANKED))

    def _encode_texts(self,
                      texts: Sequence[str]) -> Tuple[Tensor, Tensor, Tensor]:
        """Encode a share of the texts, and take the others' from them."""
        starts = range(0, len(texts), self.text_batch)
        rank, world = dist.get_dist_info()
        found = {}
        for start in starts[rank::world]:
            tokens = self.model.tokenize(texts[start:start + self.text_batch])
            hidden = self.model.text_encoder.encode(*tokens)
            features = self.model.text_proj(hidden[:, 0]).float()
            found[start] = [x.cpu() for x in (hidden, tokens.mask, features)]
        found = _merge(dist.all_gather_object(found))
        parts = zip(*(found[start] for start in starts))
        hidden, mask, features = (torch.cat(part) for part in parts)
        return hidden, mask, features

    def _nearest(self, scores: Tensor) -> Tensor:
        """Mark the best candidates of each row, bool, same shape."""
        count = min(self.topk, scores.shape[1])
        if count < self.topk:
            _say_once(f'topk={self.topk} is more than there are candidates: '
                      'all of them are judged')
        best = scores.topk(count, dim=1).indices
        return torch.zeros_like(
            scores, dtype=torch.bool).scatter_(1, best, True)

    def _judge(self, wanted: Tensor, hidden: Tensor, mask: Tensor) -> Tensor:
        """Judge the pairs that are marked, (V, T); 0 elsewhere."""
        device = self.model.temp.device
        show = self.progress and dist.is_main_process() and self.tokens
        bar = ProgressBar(len(self.tokens), file=sys.stdout) if show else None
        rows = {}
        for video, tokens in self.tokens.items():
            row = torch.zeros(wanted.shape[1])
            # One video for all texts: its keys and values are made once.
            tokens = tokens.to(device).unsqueeze(0)
            for texts in wanted[video].nonzero()[:, 0].split(self.pair_batch):
                logits = self.model.match_logit(hidden[texts].to(device),
                                                mask[texts].to(device), tokens)
                row[texts] = logits[:, 1].float().cpu()
            rows[video] = row
            if bar:
                bar.update()
        rows = _merge(dist.all_gather_object(rows))
        return torch.stack([rows[i] for i in range(len(rows))])


_SAID: set = set()


def _say_once(message: str) -> None:
    if message not in _SAID:
        _SAID.add(message)
        print_log(message, 'current')


def _merge(parts: List[dict]) -> dict:
    """Merge the shares of the processes."""
    return {key: value for part in parts for key, value in part.items()}
