"""Calls of ExecuTorch, by a stand-in: the package needs other versions."""
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, Dict, List

import pytest
import torch

from mmvideomamba.deployment.program import Program
from mmvideomamba.deployment.pte_file import PTE

XNNPACK = 'executorch.backends.xnnpack.partition.xnnpack_partitioner'


@pytest.fixture
def executorch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a stand-in in the place of ExecuTorch; it doubles an input."""
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


def test_write_and_run(executorch: None, tmp_path: Path) -> None:
    """Outputs of one run outlive the next."""
    exported: Any = torch.export.export(torch.nn.Flatten(0), (torch.ones(2), ))
    path = tmp_path / 'model.pte'
    nodes = PTE.write(Program(exported, '{"a": 1}', ('y', )), path)
    assert nodes >= 1
    (one, ), (two, ) = PTE.check(path, [torch.ones(2), torch.zeros(2)])
    assert one.tolist() == [2, 2] and two.tolist() == [0, 0]
