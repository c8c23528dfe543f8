"""Batches of videos and texts score as one pair after the other."""
from types import SimpleNamespace
from typing import Any, List

import pytest
import torch
from torch import Tensor, nn

from mmvideomamba.models.multimodal import (RetrievalScorer, RetrievalScores,
                                            TextBatch, retrieval)
from mmvideomamba.models.multimodal.losses import similarity

VIDEOS, TEXTS, LENGTH, WIDTH = 7, 11, 9, 4
NAMES = [str(i) for i in range(TEXTS)]


class Encoder(nn.Module):
    """Let each token add a share of the other tokens of the text."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(50, WIDTH)

    def encode(self, ids: Tensor, mask: Tensor) -> Tensor:
        states = self.words(ids)
        share = (states * mask[..., None]).sum(1, keepdim=True)
        return states + share / mask.sum(1)[:, None, None]

    def attend(self, text: Tensor, mask: Tensor) -> Tensor:
        return text + self.words.weight[0]


class Model(nn.Module):
    """A judge with cross-attention from each word to each visual token."""

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.text_encoder = Encoder()
            self.text_proj = nn.Linear(WIDTH, 3)
            self.vision_proj = nn.Linear(2, 3)
            self.itm_head = nn.Linear(WIDTH, 2)
            self.look = nn.Linear(2, WIDTH)
            self.clips = torch.randn(VIDEOS, 5, 2)
            lengths = torch.randint(3, LENGTH + 1, (TEXTS, 1))
            self.ids = torch.randint(50, (TEXTS, LENGTH))
        self.mask = (torch.arange(LENGTH) < lengths).long()
        self.temp = nn.Parameter(torch.ones(()))
        self.rows: List[tuple] = []

    def tokenize(self, texts: List[str]) -> TextBatch:
        rows = [int(text) for text in texts]
        return TextBatch(self.ids[rows], self.mask[rows])

    def encode_videos(self, inputs: Tensor) -> Any:
        return SimpleNamespace(tokens=inputs, pooled=inputs)

    def match_logit(self,
                    text: Tensor,
                    mask: Tensor,
                    vision: Tensor,
                    attended: bool = False) -> Tensor:
        if not attended:
            text = self.text_encoder.attend(text, mask)
        self.rows.append((len(text), len(vision), text.shape[1]))
        keys = self.look(vision)
        keys = keys.repeat_interleave(len(text) // len(vision), 0)
        weight = (text @ keys.transpose(1, 2)).softmax(-1)
        seen = (weight @ keys + text) * mask[..., None]
        return self.itm_head(seen.sum(1) / mask.sum(1, keepdim=True))


def fill(model: Model, order: List[int], **kwargs: Any) -> RetrievalScorer:
    scorer = RetrievalScorer(model, progress=False, **kwargs)
    for i in order:
        scorer.add_videos(model.clips[i:i + 1], [i])
    return scorer


def one_by_one(model: Model, topk: int) -> RetrievalScores:
    """Score by a loop over pairs, all texts padded to the same length."""
    hidden = model.text_encoder.encode(model.ids, model.mask)
    dual = similarity(
        model.vision_proj(model.clips), model.text_proj(hidden[:, 0]))
    logits = torch.stack([
        torch.stack([
            model.match_logit(hidden[t:t + 1], model.mask[t:t + 1],
                              model.clips[v:v + 1])[0, 1] for t in range(TEXTS)
        ]) for v in range(VIDEOS)
    ])
    judged = []
    for scores, logit in ((dual, logits), (dual.t(), logits.t())):
        least = scores.topk(topk, dim=1).values[:, -1:]
        judged.append(logit.masked_fill(scores < least, -100))
    return RetrievalScores(dual, *judged)


@pytest.mark.parametrize('pair_batch', [1, 5, 1024])
@pytest.mark.parametrize('video_batch', [1, 3])
@pytest.mark.parametrize('topk', [2, 6])
@torch.no_grad()
def test_scores_of_a_loop_over_pairs(pair_batch: int, video_batch: int,
                                     topk: int) -> None:
    model = Model()
    scorer = fill(
        model,
        range(VIDEOS),
        topk=topk,
        pair_batch=pair_batch,
        video_batch=video_batch,
        text_batch=4)
    found = scorer.score(NAMES)
    assert max(rows for rows, _, _ in model.rows) <= pair_batch
    assert max(videos for _, videos, _ in model.rows) <= video_batch
    for one, other in zip(found, one_by_one(model, topk), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-5)


@pytest.mark.parametrize('videos, texts', [(1, TEXTS), (VIDEOS, 1), (1, 1)])
def test_one_video_or_one_text(videos: int, texts: int) -> None:
    """The two directions judge different pairs."""
    found = fill(Model(), range(videos), topk=2).score(NAMES[:texts])
    for scores, most in ((found.v2t, texts), (found.t2v, videos)):
        assert ((scores != -100).sum(1) == min(2, most)).all()


def test_texts_are_cut_to_the_longest_of_a_batch(monkeypatch) -> None:
    model = Model()
    encode, shapes = model.text_encoder.encode, []
    monkeypatch.setattr(
        model.text_encoder, 'encode',
        lambda ids, mask: shapes.append(tuple(ids.shape)) or encode(ids, mask))
    fill(model, range(VIDEOS), topk=2, text_batch=4).score(NAMES)
    lengths = model.mask.sum(1).sort().values
    assert shapes == [(4, lengths[3]), (4, lengths[7]), (3, lengths[10])]
    assert {length for *_, length in model.rows} <= set(lengths.tolist())
    assert min(length for *_, length in model.rows) < LENGTH


def test_order_of_arrival_does_not_show() -> None:
    whole = fill(Model(), range(VIDEOS), topk=3).score(NAMES)
    turned = fill(Model(), [4, 2, 0, 6, 5, 1, 3], topk=3).score(NAMES)
    assert all(map(torch.equal, whole, turned))


def test_a_pair_of_both_directions_is_judged_once() -> None:
    model = Model()
    fill(model, range(VIDEOS), topk=TEXTS, pair_batch=1).score(NAMES)
    assert len(model.rows) == VIDEOS * TEXTS


@pytest.mark.parametrize('storage', ['cpu', 'disk'])
def test_tokens_of_autocast_change_no_score(storage: str) -> None:
    """Waiting in the dtype of the products is as good as in float32."""
    with torch.autocast('cpu', torch.bfloat16):
        kept, halved = (
            fill(
                Model(),
                range(VIDEOS),
                topk=3,
                storage=storage,
                token_dtype=dtype).score(NAMES) for dtype in ('float32', None))
    assert all(map(torch.equal, kept, halved))


def test_half_tokens_without_autocast_are_close() -> None:
    whole, halved = (
        fill(Model(), range(VIDEOS), topk=3, token_dtype=dtype).score(NAMES)
        for dtype in (None, 'bfloat16'))
    assert halved.v2t.dtype == torch.float32
    assert not halved.v2t.equal(whole.v2t)
    torch.testing.assert_close(halved.v2t, whole.v2t, rtol=0, atol=0.02)


def test_expected_videos_are_stated(mm_log) -> None:
    model = Model()
    scorer = RetrievalScorer(model, topk=3)
    scorer.expect(VIDEOS)
    scorer.add_videos(model.clips, range(VIDEOS))
    assert [line for line in mm_log if '7 videos x 5 tokens x 2' in line]


def test_pairs_that_nobody_judged(monkeypatch) -> None:
    """Where similarities of another machine differ, no pair becomes 0."""
    scorer = fill(Model(), range(VIDEOS), topk=3)
    own = RetrievalScorer._judge_own
    monkeypatch.setattr(RetrievalScorer, '_judge_own',
                        lambda *args: tuple(x[:-1] for x in own(*args)))
    with pytest.raises(RuntimeError, match='do not agree'):
        scorer.score(NAMES)


def test_states_that_fill_the_device_stay(monkeypatch) -> None:
    """States larger than free memory are uploaded by batch; equal scores."""
    whole = fill(Model(), range(VIDEOS), topk=3).score(NAMES)
    monkeypatch.setattr(retrieval, 'free_bytes', lambda _: 0)
    monkeypatch.setattr(retrieval.TextStates, 'to', None)
    found = fill(Model(), range(VIDEOS), topk=3).score(NAMES)
    assert all(map(torch.equal, whole, found))
