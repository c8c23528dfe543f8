"""Batches of pairs of videos and texts for the judge."""
from math import ceil, sqrt
from typing import Dict, Iterator, List, NamedTuple

import torch
from torch import Tensor

# Keys and values of so many visual tokens cost as much as a text token: per
# layer 2 products of 576 x 768 against 6 of 768 x 768 and 2 of 768 x 3072.
VISUAL_PER_TEXT_TOKEN = 10


class PairPiece(NamedTuple):
    """Pairs of one call of the judge.

    Args:
        texts (Tensor): k texts for each of g videos, int64, shape (g, k).
        real (Tensor): False for a mere filler of a short row, bool, shape
            (g, k).
        length (int): Tokens of the longest text.
    """
    texts: Tensor
    real: Tensor
    length: int


class PairGroup(NamedTuple):
    """Videos whose tokens are brought to the device together.

    Args:
        videos (list[int]): g numbers.
        pieces (list[PairPiece]): Calls of the judge.
    """
    videos: List[int]
    pieces: List[PairPiece]


def plan_pairs(wanted: Dict[int, Tensor], tokens: Dict[int,
                                                       int], lengths: Tensor,
               pair_batch: int, video_batch: int) -> Iterator[PairGroup]:
    """Group videos of about as many pairs, and texts by length.

    The plan depends on the pairs alone, not on the order of the videos.

    Args:
        wanted (dict[int, Tensor]): Texts of each video, the shortest first,
            int64, shape (n, ).
        tokens (dict[int, int]): Visual tokens of each video; the videos of a
            group have as many.
        lengths (Tensor): Tokens of each text, int64, shape (T, ).
        pair_batch (int): Most pairs of a piece.
        video_batch (int): Most videos of a group.

    Yields:
        PairGroup: Videos without any pair are left out.
    """
    # Neighbours in this order have as many tokens, and about as many pairs:
    # little is padded.
    left = sorted((v for v in wanted if len(wanted[v])),
                  key=lambda v: (-tokens[v], -len(wanted[v]), v))
    while left:
        first = left[0]
        longest = wanted[first]
        cuts = _cuts(lengths[longest], tokens[first])
        width = ceil(len(longest) / cuts)
        size = min(video_batch, max(1, pair_batch // width))
        group = [v for v in left[:size] if tokens[v] == tokens[first]]
        del left[:len(group)]
        rows = [wanted[v] for v in group]
        least = ceil(len(longest) / (pair_batch // len(group)))
        yield PairGroup(group, _pieces(rows, lengths, max(cuts, least)))


def _cuts(lengths: Tensor, tokens: int) -> int:
    """Return into how many pieces a row of texts is best cut.

    Cutting a row in s pieces saves 1 - 1 / s of the padding, but makes keys
    and values s times.
    """
    padding = len(lengths) * int(lengths[-1]) - int(lengths.sum())
    # In k pieces, padding costs about 1 / k of the padding of one piece, and
    # keys and values cost k times as much: the sum is least here.
    best = round(sqrt(padding * VISUAL_PER_TEXT_TOKEN / tokens))
    return min(len(lengths), max(1, best))


def _pieces(rows: List[Tensor], lengths: Tensor,
            count: int) -> List[PairPiece]:
    """Cut the rows of a group, the first of which is the longest."""
    most = len(rows[0])
    # A short row is filled up in front, by the own shortest text: the row
    # stays sorted.
    texts = torch.stack(
        [torch.cat([row[:1].expand(most - len(row)), row]) for row in rows])
    counts = torch.tensor([len(row) for row in rows])
    real = torch.arange(most) >= most - counts[:, None]
    cuts = [x.tensor_split(min(count, most), dim=1) for x in (texts, real)]
    return [
        # The last column holds the longest text of each row.
        PairPiece(t, r, int(lengths[t[:, -1]].max())) for t, r in zip(*cuts)
    ]
