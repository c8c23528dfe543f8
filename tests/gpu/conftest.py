"""Fixtures of the tests on a GPU."""
from typing import Iterator

import pytest
import torch
from common import device_of


@pytest.fixture(params=['triton', 'mamba_ssm'])
def kernels(request: pytest.FixtureRequest) -> str:
    """Name each backend of the GPU in turn; skip uninstalled backends."""
    device, reason = device_of(request.param)
    if device is None:
        pytest.skip(reason)
    return request.param


@pytest.fixture(autouse=True)
def exact_float32() -> Iterator[None]:
    """Keep float32 products in float32; TF32 has 10 bits."""
    libraries = torch.backends.cuda.matmul, torch.backends.cudnn
    before = [library.allow_tf32 for library in libraries]
    for library in libraries:
        library.allow_tf32 = False
    yield
    for library, value in zip(libraries, before):
        library.allow_tf32 = value
