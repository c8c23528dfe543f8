"""The size of a group is a constant of the kernels, not a setting."""
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

pytest.importorskip('triton', reason='no Triton here')

ROOT = Path(__file__).parents[4]
# Scans with another group size, in a separate process: kernels bind the size
# at import.
SCAN = """
import contextlib, sys
import torch, triton.language as tl
from noting_driver import noting_driver
from mmvideomamba.ops.runtime.host import interpreting
from mmvideomamba.ops.scan.triton import program
program.GROUP = tl.constexpr(int(sys.argv[1]))
from mmvideomamba.ops.scan.triton import launch
n = int(sys.argv[2])
u = torch.zeros(1, 1, 24, 32, dtype=torch.bfloat16)
A, D = torch.zeros(1, n, 32), torch.zeros(1, 32)
bc = torch.zeros(1, 1, 24, 2, n)
bc = bc.to(u.dtype) if launch.uses_n16_kernels(u.dtype, 32, n) else bc
with contextlib.nullcontext() if interpreting() else noting_driver():
    try:
        launch.scan_forward(u, u, A, bc, D, 0, u.dtype, True)
    except Exception as error:
        print(error)
    else:
        print('launched')
"""


@pytest.mark.slow
@pytest.mark.parametrize('interpret', ['0', '1'])
@pytest.mark.parametrize('n,reason', [(8, 'unrolled for groups of 4'),
                                      (16, 'fills the four rows of lanes')])
def test_a_group_of_another_size_does_not_compile(n, reason, interpret):
    if interpret == '1' and torch.cuda.is_available():
        pytest.skip('the kernels run on the GPU')
    paths = [str(ROOT), str(ROOT / 'tests'), os.environ.get('PYTHONPATH', '')]
    for group, wanted in (('4', 'launched'), ('8', reason)):
        done = subprocess.run([sys.executable, '-c', SCAN, group,
                               str(n)],
                              env=dict(
                                  os.environ,
                                  PYTHONPATH=os.pathsep.join(paths),
                                  TRITON_INTERPRET=interpret),
                              check=True,
                              capture_output=True,
                              text=True)
        assert wanted in done.stdout, done.stdout + done.stderr
