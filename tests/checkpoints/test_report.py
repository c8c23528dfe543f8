"""The table in the log."""
from typing import List

from mmvideomamba.checkpoints import Change, log_changes


def test_columns_are_aligned(mm_log: List[str]) -> None:
    log_changes([])
    log_changes([Change('renamed', 'a', 'to b'), Change('missing', 'abc', '')])
    assert mm_log == [
        'VideoMamba checkpoint:', 'renamed   a   to b', 'missing   abc '
    ]
