"""Each pair is judged once, in batches of about equal texts."""
from typing import Dict, List

import pytest
import torch

from mmvideomamba.models.multimodal.pair_plan import PairGroup, plan_pairs

LENGTHS = torch.randint(3, 20, (40, ), generator=torch.Generator())
ORDER = LENGTHS.sort(stable=True).indices
# Texts of a video, the shortest first; a video without any, and a long list.
WANTED = {
    v: ORDER[torch.arange(40) % n == 0] if n else ORDER[:0]
    for v, n in enumerate((3, 5, 0, 1, 2, 7, 3))
}
TOKENS = {v: 8 if v == 4 else 4 for v in WANTED}


def plan(pair_batch: int, video_batch: int = 16, **kwargs) -> List[PairGroup]:
    given = dict(wanted=WANTED, tokens=TOKENS, lengths=LENGTHS)
    given.update(kwargs)
    return list(
        plan_pairs(pair_batch=pair_batch, video_batch=video_batch, **given))


@pytest.mark.parametrize('pair_batch', [1, 7, 30, 1000])
@pytest.mark.parametrize('video_batch', [1, 3])
def test_each_pair_once(pair_batch: int, video_batch: int) -> None:
    found: Dict[int, list] = {v: [] for v in WANTED}
    for group in plan(pair_batch, video_batch):
        assert len(group.videos) <= video_batch
        assert len({TOKENS[v] for v in group.videos}) == 1
        for piece in group.pieces:
            assert piece.texts.numel() <= pair_batch
            assert piece.length == LENGTHS[piece.texts].max()
            for video, texts, real in zip(group.videos, *piece[:2]):
                found[video] += texts[real].tolist()
    for video, texts in WANTED.items():
        assert sorted(found[video]) == sorted(texts.tolist())


def test_plan_does_not_depend_on_the_order_of_videos() -> None:
    turned = dict(reversed(WANTED.items()))
    for one, other in zip(plan(30), plan(30, wanted=turned), strict=True):
        assert one.videos == other.videos
        assert all(
            x.texts.equal(y.texts) for x, y in zip(one.pieces, other.pieces))


@pytest.mark.parametrize('tokens, pieces', [(4, 4), (40, 1)])
def test_rows_are_cut_where_padding_costs_more(tokens: int,
                                               pieces: int) -> None:
    """Than keys and values of the visual tokens, made again."""
    lengths = torch.tensor([2, 2, 3, 4])
    wanted = {0: torch.arange(4)}
    groups = plan(9, wanted=wanted, tokens={0: tokens}, lengths=lengths)
    assert [len(g.pieces) for g in groups] == [pieces]
