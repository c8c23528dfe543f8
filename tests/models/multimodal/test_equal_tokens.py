from typing import List

import torch

from mmvideomamba.models.multimodal import TextBatch
from mmvideomamba.models.multimodal.equal_tokens import (equal_groups,
                                                         report_equal)


class Words:
    """Let a token be the length of a word."""

    def __init__(self, max_length: int) -> None:
        self.max_length = max_length

    def __call__(self, texts: List[str]) -> TextBatch:
        rows = [[len(w) for w in text.split()] + [0] * 9 for text in texts]
        ids = torch.tensor([row[:self.max_length] for row in rows])
        return TextBatch(ids, (ids > 0).long())


def test_cut_texts_are_equal() -> None:
    texts = ['a bb ccc', 'a bb', 'x yy z', 'a bb', 'b']
    assert equal_groups(Words(4), texts) == []
    assert equal_groups(Words(2), texts) == [['a bb ccc', 'a bb', 'x yy z']]
    assert equal_groups(Words(2), []) == []


def test_texts_of_an_owner_may_be_equal() -> None:
    texts = ['a b', 'x y', 'p q', 'a b', 'ff', 'gg']
    owners = [0, 0, 1, 2, 3, 3]
    assert equal_groups(Words(4), texts, owners) == [['a b', 'p q', 'a b']]


def test_they_are_counted_and_listed_once(mm_log: List[str]) -> None:
    texts = [f'{letter} {"x" * i}' for i in range(1, 8) for letter in 'pqpr']
    kind, remedy = 'captions of this test', 'Shorten them.'
    for _ in range(2):
        assert report_equal(Words(3), texts, kind, remedy) == 21
    assert report_equal(Words(3), ['a', 'bb'], kind, remedy) == 0
    head, first, *_, more, last = mm_log
    assert head.startswith('21 of 21 captions of this test have the same '
                           'tokens as another one, at most 3 of a text')
    assert first == "  'p x' = 'q x' = 'r x'"
    assert (len(mm_log), more, last) == (8, '  and 2 more groups', remedy)
