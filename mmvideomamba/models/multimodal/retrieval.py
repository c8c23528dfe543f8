"""Scores of all videos and texts of a set, spread over the processes."""
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

import torch
from mmengine import dist
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from mmvideomamba.free_memory import free_bytes
from mmvideomamba.upload import upload
from .equal_tokens import equal_groups, report_equal
from .log_once import log_once
from .losses import similarity
from .pair_plan import PairPiece, plan_pairs
from .progress_bar import Progress
from .scores import check_finite
from .text_states import TextStates
from .token_store import TokenStore

# Score of pairs that were not judged, as published.
UNRANKED = -100.
# Without cuDNN's attention: cuDNN prepares each new shape of inputs for some
# milliseconds, and each piece of pairs may have a new shape.
PAIR_ATTENTION = [
    SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH
]


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

    A process keeps the tokens of its own videos and judges all pairs of these
    videos, for both directions, each pair once. Processes send features and
    scores to each other, no tokens.

    Texts are padded to the longest of a batch only, and several videos with
    their texts are judged at a time. Batches depend on the set and on the
    number of processes, not on the order of arrival; another number of
    processes changes scores by rounding alone, below 1e-5 in float32.

    Args:
        model (VideoTextModel): In evaluation mode.
        topk (int): Nearest candidates to judge, for each query; 0 for none.
            Defaults to 128.
        pair_batch (int): Most pairs judged at a time. Defaults to 1024.
        video_batch (int): Most videos among these pairs. Defaults to 16.
        text_batch (int): Texts encoded at a time. Defaults to 256.
        storage (str): Where tokens wait: 'cpu', 'disk' for a file in the
            temporary folder, or a device such as 'cuda'. Defaults to 'cpu'.
        token_dtype (str, optional): 'float32', 'bfloat16' or 'float16' of
            waiting tokens. Defaults to None: autocast's dtype, if autocast is
            on, without any change of the scores, else the model's.
        progress (bool): Whether the first process shows a bar on a terminal,
            or lines in a log. Defaults to True.

    Raises:
        ValueError: If a number is too small or no integer, a dtype unknown,
            or a storage not there.
    """

    def __init__(self,
                 model: Any,
                 topk: int = 128,
                 pair_batch: int = 1024,
                 video_batch: int = 16,
                 text_batch: int = 256,
                 storage: str = 'cpu',
                 token_dtype: Optional[str] = None,
                 progress: bool = True) -> None:
        for name, value, least in (('topk', topk,
                                    0), ('pair_batch', pair_batch,
                                         1), ('video_batch', video_batch, 1),
                                   ('text_batch', text_batch, 1)):
            if not isinstance(value, int) or value < least:
                raise ValueError(f'{name} of the retrieval must be an integer '
                                 f'of at least {least}, but is {value!r}')
        self.model, self.topk = model, topk
        self.pair_batch, self.video_batch = pair_batch, video_batch
        self.text_batch, self.progress = text_batch, progress
        self.tokens = TokenStore(storage, token_dtype)
        self.features: Dict[int, Tensor] = {}

    def expect(self, videos: int) -> None:
        """Set the number of videos, for a statement of the memory.

        Args:
            videos (int): Videos of this process.
        """
        self.tokens.expected = videos

    @torch.no_grad()
    def add_videos(self, inputs: Tensor, ids: Sequence[int]) -> None:
        """Encode a batch of videos.

        Args:
            inputs (Tensor): See ``VideoTextModel``.
            ids (Sequence[int]): Position of each in the set.

        Raises:
            ValueError: If the tokens of all expected videos do not fit.
        """
        vision = self.model.encode_videos(inputs)
        features = self.model.vision_proj(vision.pooled).float().cpu()
        for i, video in enumerate(ids):
            self.features[video] = features[i]
            if self.topk:
                self.tokens.put(video, vision.tokens[i])

    def renumber(self, videos: Sequence[int]) -> None:
        """Give the videos new positions, where some of the set are left out.

        Args:
            videos (Sequence[int]): Old positions of the remaining videos, in
                their new order.
        """
        places = {video: place for place, video in enumerate(videos)}
        self.features = {places[k]: v for k, v in self.features.items()}
        self.tokens.renumber(places)

    @torch.no_grad()
    def score(self, texts: Sequence[str]) -> RetrievalScores:
        """Score all videos of all processes with all texts.

        Args:
            texts (Sequence[str]): All T texts, the same on each process.

        Returns:
            RetrievalScores: The same on each process.

        Raises:
            ValueError: If a video of the set is missing, no text is given, or
                a score is not a number.
            RuntimeError: If the processes do not agree on the nearest pairs.
        """
        features = _merge(dist.all_gather_object(self.features))
        if not texts or not features:
            raise ValueError(f'retrieval needs videos and texts, but has '
                             f'{len(features)} and {len(texts)}')
        lost = set(range(max(features) + 1)) - set(features)
        if lost:
            raise ValueError(f'{len(lost)} videos were not encoded, the first '
                             f'is number {min(lost)}')
        states, text_features = self._encode_texts(texts)
        videos = torch.stack([features[i] for i in range(len(features))])
        dual = check_finite(
            similarity(videos, text_features),
            'similarities of videos and texts')
        if not self.topk:
            empty = torch.full_like(dual, UNRANKED)
            return RetrievalScores(dual, empty, empty.t())
        near_texts, near_videos = self._nearest(dual), self._nearest(dual.t())
        logits = self._judge(near_texts | near_videos.t(), states)
        v2t = logits.masked_fill(~near_texts, UNRANKED)
        t2v = logits.t().masked_fill(~near_videos, UNRANKED)
        return RetrievalScores(dual, v2t, t2v.contiguous())

    def _encode_texts(self, texts: Sequence[str]) -> Tuple[TextStates, Tensor]:
        """Encode a share of the texts, and take the others' from them.

        Texts of about one length make a batch, padded to the longest.
        """
        size = self.text_batch
        tokens = [
            self.model.tokenize(texts[i:i + size])
            for i in range(0, len(texts), size)
        ]
        ids, mask = (torch.cat(part) for part in zip(*tokens))
        report_equal(texts, equal_groups(texts, ids), 'texts',
                     'Raise max_length of the tokenizer, if they are cut.')
        # Texts of about one length share a batch: little padding. A stable
        # sort gives all processes the same batches.
        order = mask.sum(1).sort(stable=True).indices
        rank, world = dist.get_dist_info()
        starts = range(0, len(texts), size)
        found = {}
        for start in starts[rank::world]:
            rows = order[start:start + size]
            longest = int(mask[rows].any(0).nonzero().max()) + 1
            kept = mask[rows, :longest]
            tower = self.model.text_encoder
            hidden = tower.encode(ids[rows, :longest], kept)
            features = self.model.text_proj(hidden[:, 0]).float()
            hidden = tower.attend(hidden, kept)
            # Without padding: the states of all texts wait in memory.
            found[start] = (hidden[kept.bool()].cpu(), kept.sum(1).cpu(),
                            features.cpu())
        found = _merge(dist.all_gather_object(found))
        states, lengths, features = zip(*(found[start] for start in starts))
        order = order.cpu()
        return (TextStates.of(states, lengths,
                              order), torch.cat(features)[order.argsort()])

    def _nearest(self, scores: Tensor) -> Tensor:
        """Mark the best candidates of each row, bool, same shape."""
        count = min(self.topk, scores.shape[1])
        if count < self.topk:
            log_once(f'topk={self.topk} is more than there are candidates: '
                     'all of them are judged')
        best = scores.topk(count, dim=1).indices
        return torch.zeros_like(
            scores, dtype=torch.bool).scatter_(1, best, True)

    def _judge(self, wanted: Tensor, states: TextStates) -> Tensor:
        """Judge the pairs that are marked, (V, T); 0 elsewhere."""
        logits = torch.zeros(wanted.shape)
        judged = torch.zeros_like(wanted)
        with sdpa_kernel(PAIR_ATTENTION):
            own = self._judge_own(wanted, states)
        for rows, columns, found in dist.all_gather_object(own):
            logits[rows, columns] = found
            judged[rows, columns] = True
        if not judged.equal(wanted):
            raise RuntimeError(
                'the processes do not agree which videos and texts are '
                'nearest, so that pairs are missing: similarities differ by '
                'the machine; evaluate on machines of one kind')
        return check_finite(logits, 'logits of the judge')

    def _judge_own(self, wanted: Tensor,
                   states: TextStates) -> Tuple[Tensor, Tensor, Tensor]:
        """Judge the pairs of own videos: their rows, columns and logits."""
        device = self.model.temp.device
        lengths = states.lengths
        # The shortest text of a video comes first.
        order = lengths.sort(stable=True).indices
        own = {v: order[wanted[v, order]] for v in self.tokens}
        if _fits(states.packed, device):
            states = states.to(device)
        pairs = sum(map(len, own.values()))
        bar = None
        if self.progress and dist.is_main_process():
            bar = Progress(pairs, 'retrieval: judged pairs')
        places: List[Tuple[Tensor, Tensor]] = []
        logits: List[Tensor] = []
        for group in plan_pairs(own, {v: self.tokens.count(v)
                                      for v in own}, lengths, self.pair_batch,
                                self.video_batch):
            vision = self._tokens(group.videos, device)
            numbers = torch.tensor(group.videos)[:, None]
            for piece in group.pieces:
                logits.append(self._match(piece, states, vision))
                rows = numbers.expand_as(piece.texts)
                places.append((rows[piece.real], piece.texts[piece.real]))
                if bar:
                    bar.update(int(piece.real.sum()))
        if not logits:
            return torch.empty(0).long(), torch.empty(0).long(), torch.empty(0)
        # A copy waits for the device, hence a single copy at the end.
        found = torch.cat(logits).cpu()
        if bar:
            bar.close()
        rows, columns = (torch.cat(part) for part in zip(*places))
        return rows, columns, found

    def _tokens(self, videos: List[int], device: torch.device) -> Tensor:
        """Bring tokens to the device, in a dtype that the model reads."""
        vision = self.tokens.take(videos, device)
        # Only autocast lets a layer take tokens of another dtype.
        if torch.is_autocast_enabled(device.type):
            return vision
        return vision.to(self.model.itm_head.weight.dtype)

    def _match(self, piece: PairPiece, states: TextStates,
               vision: Tensor) -> Tensor:
        """Judge a piece: logits of its pairs, float32, on the device."""
        text, mask = states.take(piece.texts.flatten(), piece.length,
                                 vision.device)
        logits = self.model.match_logit(text, mask, vision, attended=True)
        logits = logits[:, 1].float()
        if piece.real.all():
            return logits
        real = piece.real.flatten().nonzero()[:, 0]
        return logits[upload(real, vision.device)]


def _fits(x: Tensor, device: torch.device) -> bool:
    """Tell whether a copy leaves a device at least half its free memory."""
    free = free_bytes(str(device))
    return free is None or 2 * x.nbytes <= free


def _merge(parts: List[dict]) -> dict:
    """Merge the shares of the processes."""
    return {key: value for part in parts for key, value in part.items()}
