"""The loop in exported graphs equals the definition."""
import io

import pytest
import torch
from common import assert_close
from test_traceable import inputs
from torch import nn
from torch.nn import functional as F

from mmvideomamba.ops import selective_scan
from mmvideomamba.ops.scan import exported
from mmvideomamba.ops.scan.reference import _recomputing_scan

pytestmark = pytest.mark.skipif(
    not exported.can_loop(), reason="torch's scan has another form")


@pytest.fixture(autouse=True)
def short_chunks(monkeypatch):
    monkeypatch.setattr(exported, 'CHUNK', 4)


class Scan(nn.Module):
    """Both directions."""

    def __init__(self):
        super().__init__()
        self.A = nn.Parameter(-torch.rand(6, 3), requires_grad=False)

    def forward(self, u, delta, B, C):
        return sum(
            selective_scan(
                u, delta, self.A, B, C, delta_softplus=True, reverse=reverse)
            for reverse in (False, True))


def arguments(b, l):
    return (torch.randn(b, l, 6), torch.randn(b, l,
                                              6), torch.randn(b, l, 2, 3),
            torch.randn(b, l, 2, 3))


def export(l, **kwargs):
    batch = {0: torch.export.Dim('batch', min=1, max=64)}
    return torch.export.export(
        Scan(), arguments(3, l), dynamic_shapes=(batch, ) * 4, **kwargs)


def operators(program):
    graphs = [m.graph for m in program.graph_module.modules()]
    return [
        n.target for graph in graphs for n in graph.nodes
        if n.op == 'call_function'
    ]


@pytest.mark.parametrize('g', [1, 2])
@pytest.mark.parametrize('l', [1, 3, 4, 5, 8, 33])
def test_equals_the_definition(l, g):
    tensors = [t.detach() for t in inputs(l, g=g).values()]
    y, last = exported.scan(*tensors)
    wanted, wanted_last = _recomputing_scan(*tensors)
    assert_close(y, wanted)
    assert_close(last, wanted_last)


def test_strong_decay_stays_finite():
    u, delta, *rest = (t.detach() for t in inputs(33).values())
    y, last = exported.scan(u, 1e3 * delta, *rest)
    assert_close(y, _recomputing_scan(u, 1e3 * delta, *rest)[0])
    assert last.isfinite().all()


def test_saved_graph_takes_any_batch():
    file = io.BytesIO()
    program = export(10)
    torch.export.save(program, file)
    file.seek(0)
    loaded = torch.export.load(file).module()
    model = Scan()
    model.load_state_dict(program.state_dict)
    for b in (1, 2, 5):
        x = arguments(b, 10)
        assert_close(loaded(*x), model(*x))


def test_graph_is_as_large_for_more_tokens():
    short, long = operators(export(9)), operators(export(79))
    assert len(short) == len(long)
    loop = torch.ops.higher_order.scan
    assert short.count(loop) == long.count(loop) == 2


def test_strict_export_does_without_the_loop():
    program = export(5, strict=True)
    assert torch.ops.higher_order.scan not in operators(program)
    model = Scan()
    model.load_state_dict(program.state_dict)
    x = arguments(2, 5)
    assert_close(program.module()(*x), model(*x))


def test_softplus():
    x = torch.cat([torch.linspace(-100, 100, 2001), torch.zeros(1)])
    wanted = F.softplus(x.double(), threshold=1000)
    found = exported.softplus(x).double()
    small = x < -16
    assert (found - wanted)[small].abs().max() < 2e-7
    relative = (found / wanted - 1)[~small].abs().max()
    assert relative < 1e-6
