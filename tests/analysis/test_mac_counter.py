"""Counts equal published figures, naive sums, and torch's own count."""
from typing import Any, Dict

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from mmvideomamba.analysis import (PUBLISHED, Count, count_macs, count_view,
                                   sum_by_kind)
from mmvideomamba.models import VideoMamba
from mmvideomamba.models.layers import AttentivePool

# G of a view by the published rule: size, frames, side, classes.
TABLE = [
    ('tiny', 1, 224, 1000, 1.0796),
    ('small', 1, 224, 1000, 4.2507),
    ('middle', 1, 224, 1000, 12.6551),
    ('base', 1, 224, 1000, 16.8674),
    ('tiny', 8, 224, 400, 8.6),
    ('tiny', 64, 224, 400, 68.7),
    ('tiny', 16, 288, 400, 28.4),
    ('tiny', 64, 384, 400, 202.0),
    ('small', 8, 224, 400, 33.9),
    ('small', 64, 384, 400, 795.4),
    ('middle', 8, 224, 400, 100.8),
    ('middle', 64, 384, 400, 2368.1),
]
# GMACs of an image at 224 px left out by the published rule.
LEFT_OUT = dict(tiny=0.75, small=1.67, middle=3.69, base=4.04)


class Model(nn.Module):
    """A backbone with a linear head."""

    def __init__(self, classes: int, *args: Any, **kwargs: Any) -> None:
        super().__init__()
        self.backbone = VideoMamba(*args, **kwargs)
        self.head = nn.Linear(self.backbone.embed_dims, classes)

    def forward(self, x: torch.Tensor, mode: str = '') -> torch.Tensor:
        return self.head(self.backbone(x)[-1])


def kinds_of(*args: Any, **kwargs: Any) -> Dict[str, int]:
    """Count a view of a model by kind."""
    return sum_by_kind(count_view(Model(*args, **kwargs)))


@pytest.mark.parametrize('arch, frames, side, classes, expected', TABLE)
def test_published_rule(arch: str, frames: int, side: int, classes: int,
                        expected: float) -> None:
    # All blocks cost the same: the costs of deeper models follow from two
    # small ones.
    depth = VideoMamba.arch_zoo[arch]['num_layers']
    width = VideoMamba.arch_zoo[arch]['embed_dims']
    totals = []
    for layers in (1, 2):
        small = dict(embed_dims=width, num_layers=layers)
        found = kinds_of(classes, small, side, num_frames=frames)
        totals.append(
            (sum(found[kind] for kind in PUBLISHED), sum(found.values())))
    published, everything = (one + (depth - 1) * (two - one)
                             for one, two in zip(*totals))
    digits = 4 if frames == 1 else 1
    assert round(published / 1e9, digits) == expected
    if frames == 1:
        left_out = (everything - published) / 1e9
        assert left_out == pytest.approx(LEFT_OUT[arch], abs=0.005)


@pytest.mark.parametrize('bidirectional, scans', [(True, 2), (False, 1)])
def test_formulas_equal_a_naive_count(bidirectional: bool, scans: int) -> None:
    """Every product of a tiny model, written out."""
    found = kinds_of(
        7,
        dict(embed_dims=32, num_layers=2), (32, 48),
        num_frames=4,
        tubelet_size=2,
        mixer_cfg=dict(bidirectional=bidirectional))
    c, d, n, k, r, layers = 32, 64, 16, 4, 2, 2
    patches = 2 * 2 * 3
    l = patches + 1
    assert found == {
        'patch embedding': patches * c * 3 * 2 * 16 * 16,
        'in_proj and out_proj': layers * l * (c * 2 * d + d * c),
        'conv1d': layers * scans * l * d * k,
        'x_proj and dt_proj': layers * scans * l * (d * (r + 2 * n) + r * d),
        'scan': layers * scans * l * 9 * d * n,
        'gate and skip': layers * scans * l * 2 * d,
        'norms': 5 * (layers + 1) * l * c,
        'head': c * 7,
    }


@pytest.mark.parametrize('bidirectional', [True, False])
def test_matrix_products_are_those_of_a_run(bidirectional: bool) -> None:
    """torch counts a run of the definition: products, no scan."""
    model = Model(
        7,
        dict(embed_dims=32, num_layers=2),
        32,
        num_frames=4,
        mixer_cfg=dict(backend='torch', bidirectional=bidirectional))
    x = torch.zeros(1, 3, 4, 32, 32)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(x)
    seen = sum(counter.get_flop_counts()['Global'].values()) / 2
    found = sum_by_kind(count_macs(model, lambda: model(x)))
    kinds = ('patch embedding', 'in_proj and out_proj', 'x_proj and dt_proj',
             'conv1d', 'head')
    assert seen == pytest.approx(sum(found[kind] for kind in kinds), rel=0.15)


def test_model_works_as_before() -> None:
    model = Model(3, dict(embed_dims=32, num_layers=1), 32, num_frames=4)
    x = torch.rand(1, 3, 4, 32, 32)
    with torch.no_grad():
        before = model(x)
        count_macs(model, lambda: model(x))
        assert torch.equal(model(x), before)


def test_shared_scans_cost_twice() -> None:
    small = dict(embed_dims=32, num_layers=1)
    one, two = (
        kinds_of(3, small, 32, num_frames=4, scan_order=order)
        for order in ('spatial_first', 'spatiotemporal_v2'))
    for kind in one:
        factor = 1 if kind in PUBLISHED else 2
        assert two[kind] == factor * one[kind], kind


def test_mask_leaves_tokens_out() -> None:
    model = VideoMamba(
        dict(embed_dims=32, num_layers=1), 32, num_frames=4, out_type='raw')
    x = torch.zeros(2, 3, 4, 32, 32)
    mask = torch.zeros(2, 16, dtype=torch.bool)
    mask[:, :12] = True
    whole, masked = (
        count_macs(model, lambda: model(x, m))[Count('layers', 'scan')]
        for m in (None, mask))
    assert masked * 17 == whole * 5


def test_attention_and_norms_of_other_layers() -> None:
    """A teacher's layers, written out."""
    c, l = 16, 10
    layer = nn.TransformerEncoderLayer(c, 2, 32, batch_first=True).eval()
    found = count_macs(layer, lambda: layer(torch.zeros(1, l, c)))
    kinds = sum_by_kind(found)
    assert kinds['norms'] == 2 * 5 * l * c
    assert kinds['other products'] == l * (4 * c * c + 2 * 32 * c + 2 * l * c)


def test_attentive_probe() -> None:
    pool = AttentivePool(8, num_heads=2)
    found = sum(count_macs(pool, lambda: pool(torch.zeros(3, 5, 8))).values())
    projections, attention = 8 * 8 * (1 + 2 * 5 + 1), 2 * 5 * 8
    norms = 5 * 8 * (5 + 1)  # 5 an entry
    assert found == 3 * (projections + attention + norms)


def test_nothing_to_count() -> None:
    with pytest.raises(ValueError, match='no operation to count'):
        count_macs(nn.Identity(), lambda: None)
