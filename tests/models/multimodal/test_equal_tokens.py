from typing import List

import torch

from mmvideomamba.models.multimodal.equal_tokens import (equal_groups,
                                                         report_equal)


def ids_of(texts: List[str], length: int) -> torch.Tensor:
    """Let a token be the length of a word."""
    rows = [[len(w) for w in text.split()] + [0] * 9 for text in texts]
    return torch.tensor([row[:length] for row in rows])


def test_cut_texts_are_equal() -> None:
    texts = ['a bb ccc', 'a bb', 'x yy z', 'a bb', 'b']
    assert equal_groups(texts, ids_of(texts, 4)) == []
    assert equal_groups(texts, ids_of(texts, 2)) == [[0, 1, 2]]


def test_texts_of_an_owner_may_be_equal() -> None:
    texts = ['a b', 'x y', 'p q', 'a b', 'ff', 'gg']
    owners = [0, 0, 1, 2, 3, 3]
    assert equal_groups(texts, ids_of(texts, 4), owners) == [[0, 2, 3]]


def test_they_are_counted_and_listed_once(mm_log: List[str]) -> None:
    texts = [f'{letter} {"x" * i}' for i in range(1, 8) for letter in 'pqpr']
    groups = equal_groups(texts, ids_of(texts, 3))
    for _ in range(2):
        report_equal(texts, groups, 'captions of this test', 'Shorten them.')
    report_equal(texts, [], 'captions of this test', 'Shorten them.')
    head, first, *_, more, last = mm_log
    assert head.startswith('21 of 28 captions of this test have the same '
                           'tokens as another one')
    assert first == "  'p x' = 'q x' = 'r x'"
    assert (len(mm_log), more, last) == (8, '  and 2 more groups',
                                         'Shorten them.')
