"""Unusable weights of losses are refused."""
from typing import Any

import pytest

from mmvideomamba.loss_weight import check_loss_weight, warn_unused_teacher


@pytest.mark.parametrize('value', [0, 0., 2, 0.5])
def test_weights(value: float) -> None:
    assert check_loss_weight('loss_weight', value) == value


@pytest.mark.parametrize(
    'value',
    [-1, -0.1, float('nan'),
     float('inf'), '1', None, True, [1]])
def test_refused(value: Any) -> None:
    with pytest.raises(ValueError, match='loss_weight of X must be a finite'):
        check_loss_weight('loss_weight of X', value)


def test_warning_names_model_and_setting(mm_log: list) -> None:
    warn_unused_teacher('UMT', 'loss_weight=0')
    line, = mm_log
    assert 'UMT' in line and 'loss_weight=0' in line
