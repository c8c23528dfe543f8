"""The table in the log."""
from typing import List

from mmvideomamba.checkpoints import Change, log_changes


def test_columns_are_aligned(mm_log: List[str]) -> None:
    log_changes([])
    log_changes([Change('renamed', 'a', 'to b'), Change('missing', 'abc', '')])
    assert mm_log == [
        'VideoMamba checkpoint:', 'renamed   a   to b', 'missing   abc '
    ]


def test_similar_tensors_share_a_row(mm_log: List[str]) -> None:
    names = [f'layers.{i}.mixer.{k}' for i in range(12) for k in 'AD']
    log_changes([
        *(Change('renamed', f'encoder.{k}', f'to backbone.{k}')
          for k in names),
        Change('renamed', 'norm.weight', 'to norm_f.weight'),
        *(Change('renamed', f'layers.{i}.x.bias', f'to layers.{i}.y.bias')
          for i in range(6)),
        *(Change('fresh', f'decoder.layer.{i}.key.{k}', 'another width')
          for i in range(6) for k in ('weight', 'bias')),
        *(Change('dropped', f'teacher.{k}', 'not used') for k in names),
        Change('dropped', 'temp', 'not used')
    ])
    assert mm_log[1:] == [
        'renamed   encoder.*             to backbone.* (24 tensors, such as '
        'encoder.layers.0.mixer.A)',
        'renamed   norm.weight           to norm_f.weight',
        'renamed   layers.*.x.*          to layers.*.y.* (6 tensors, such as '
        'layers.0.x.bias)',
        'fresh     decoder.layer.*.key.* another width (12 tensors, such as '
        'decoder.layer.0.key.weight)',
        'dropped   teacher.*             not used (24 tensors, such as '
        'teacher.layers.0.mixer.A)', 'dropped   temp                  not used'
    ]
