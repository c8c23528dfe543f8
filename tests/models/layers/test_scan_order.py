import pytest
import torch

from mmvideomamba.models.layers import (MIXER_ORDERS, SCAN_ORDERS,
                                        block_orders, temporal_order)

SF, TF = 'spatial_first', 'temporal_first'


@pytest.mark.parametrize('t,n', [(1, 1), (2, 3), (3, 2), (5, 4)])
def test_temporal_order(t, n):
    wanted = [0] + [1 + f * n + s for s in range(n) for f in range(t)]
    assert temporal_order(t, n).tolist() == wanted


def test_published_example():
    # Digits are frame and location: 00 01 02 10 11 12 -> 00 10 01 11 02 12.
    assert temporal_order(2, 3).tolist() == [
        1 + i if i >= 0 else 0 for i in (-1, 0, 3, 1, 4, 2, 5)
    ]


def test_only_visible_tokens():
    t, n = 3, 4
    visible = torch.tensor([[0, 3, 4, 7, 8], [1, 2, 5, 9, 11]])
    found = temporal_order(t, n, visible)
    for row, places in zip(found.tolist(), visible.tolist()):
        assert row[0] == 0
        ranked = sorted(places, key=lambda i: (i % n, i // n))
        assert [places[i - 1] for i in row[1:]] == ranked


def test_device_and_dtype():
    assert temporal_order(2, 2, device=torch.device('meta')).is_meta
    assert temporal_order(2, 2).dtype == torch.int64


@pytest.mark.parametrize('order', MIXER_ORDERS)
def test_uniform_trunks(order):
    assert block_orders(order, 3) == [order] * 3


@pytest.mark.parametrize('order,wanted', [
    ('spatial_then_temporal', [SF, SF, TF, TF]),
    ('temporal_then_spatial', [TF, TF, SF, SF]),
    ('alternating', [SF, TF, SF, TF]),
])
def test_mixed_trunks(order, wanted):
    assert order in SCAN_ORDERS
    assert block_orders(order, 4) == wanted


def test_unknown_order():
    with pytest.raises(ValueError, match="unknown scan_order 'zigzag'.*alter"):
        block_orders('zigzag', 2)
