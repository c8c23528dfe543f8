"""Marks and constants shared by the tests on a GPU."""
import pytest
import torch

DEVICE = torch.device('cuda')
DTYPES = (torch.float32, torch.bfloat16, torch.float16)
# Marks of every module here.
GPU_ONLY = [
    pytest.mark.gpu,
    pytest.mark.skipif(
        not torch.cuda.is_available(), reason='no CUDA device is available')
]
