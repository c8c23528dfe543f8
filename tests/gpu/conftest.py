"""Fixtures of the tests on a GPU."""
import pytest
import torch
from common import device_of


@pytest.fixture(params=['triton', 'mamba_ssm'])
def kernels(request: pytest.FixtureRequest) -> str:
    """Name each backend of the GPU in turn; skip those that cannot run."""
    device, reason = device_of(request.param)
    if device is None:
        pytest.skip(reason)
    return request.param


@pytest.fixture(autouse=True)
def exact_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep float32 products in float32; TF32 has 10 bits."""
    for library in (torch.backends.cuda.matmul, torch.backends.cudnn):
        monkeypatch.setattr(library, 'allow_tf32', False)
