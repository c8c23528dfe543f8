"""Calls of ExecuTorch, by a stand-in: the package needs other versions."""
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, Dict, List

import pytest
import torch
from torch.nn import functional as F

from mmvideomamba.deployment.program import Program
from mmvideomamba.deployment.pte_file import PTE, conv3d

XNNPACK = 'executorch.backends.xnnpack.partition.xnnpack_partitioner'


@pytest.fixture
def executorch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace ExecuTorch by a stand-in: the output is twice the input."""
    buffer = torch.zeros(2)

    def execute(inputs: List[Any]) -> List[Any]:
        buffer.copy_(2 * inputs[0])  # the same memory for each run
        return [buffer]

    def lower(exported: Any, partitioner: List[Any],
              constant_methods: Dict[str, str]) -> Any:
        assert partitioner == ['xnnpack']
        assert constant_methods == dict(mmvideomamba='{"a": 1}')
        return SimpleNamespace(
            exported_program=lambda: exported,
            to_executorch=lambda: SimpleNamespace(buffer=b'program'))

    def load_program(path: Path) -> Any:
        assert path.read_bytes() == b'program'
        method = SimpleNamespace(execute=execute)
        return SimpleNamespace(load_method=dict(forward=method).__getitem__)

    runtime = SimpleNamespace(load_program=load_program)
    contents = {
        XNNPACK: dict(XnnpackPartitioner=lambda: 'xnnpack'),
        'executorch.exir': dict(to_edge_transform_and_lower=lower),
        'executorch.runtime':
        dict(Runtime=SimpleNamespace(get=lambda: runtime)),
    }
    for name, content in contents.items():
        module = ModuleType(name)
        module.__dict__.update(content)
        monkeypatch.setitem(sys.modules, name, module)


@pytest.mark.parametrize('sizes', [
    dict(kernel=(1, 4, 4), stride=(1, 4, 4)),
    dict(kernel=(2, 4, 4), stride=(2, 4, 4)),
    dict(kernel=(3, 4, 4), stride=(2, 3, 3)),
])
@pytest.mark.parametrize('bias', [False, True])
def test_clips_as_pictures(sizes: dict, bias: bool) -> None:
    x = torch.randn(2, 3, 8, 10, 12, dtype=torch.float64)
    weight = torch.randn(5, 3, *sizes['kernel'], dtype=torch.float64)
    shift = torch.randn(5, dtype=torch.float64) if bias else None
    torch.testing.assert_close(
        conv3d(x, weight, shift, sizes['stride']),
        F.conv3d(x, weight, shift, sizes['stride']))


def test_padding_in_time_is_refused() -> None:
    with pytest.raises(ValueError, match='padding or dilation in time: 1, 1'):
        conv3d(
            torch.ones(1, 1, 4, 4, 4),
            torch.ones(1, 1, 2, 2, 2),
            padding=(1, 0, 0))


def test_no_convolution_of_clips_is_left(executorch: None, tmp_path: Path,
                                         monkeypatch) -> None:
    seen = []
    exir = sys.modules['executorch.exir']
    lower = exir.to_edge_transform_and_lower

    def look(exported: Any, **kwargs: Any) -> Any:
        seen.extend(str(node.target) for node in exported.graph.nodes)
        return lower(exported, **kwargs)

    monkeypatch.setattr(exir, 'to_edge_transform_and_lower', look)
    exported = torch.export.export(
        torch.nn.Conv3d(3, 4, (2, 4, 4), (2, 4, 4)),
        (torch.ones(1, 3, 4, 8, 8), ))
    PTE.write(Program(exported, '{"a": 1}', ('y', )), tmp_path / 'model.pte')
    assert 'aten.conv2d.default' in seen
    assert not any('conv3d' in name for name in seen)


def test_write_and_run(executorch: None, tmp_path: Path) -> None:
    """Outputs of one run outlive the next."""
    exported: Any = torch.export.export(torch.nn.Flatten(0), (torch.ones(2), ))
    path = tmp_path / 'model.pte'
    nodes = PTE.write(Program(exported, '{"a": 1}', ('y', )), path)
    assert nodes >= 1
    (one, ), (two, ) = PTE.check(path, [torch.ones(2), torch.zeros(2)])
    assert one.tolist() == [2, 2] and two.tolist() == [0, 0]
