"""The quickstart's training on a GPU and on the CPU."""
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import List

import pytest
from gpu_marks import GPU_ONLY

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
NAME = 'videomamba-micro_1xb8-u8-25e_quickstart-rgb'

pytestmark = [
    *GPU_ONLY,
    pytest.mark.skipif(
        not (ROOT / 'data/quickstart/train.txt').exists(),
        reason='make data/quickstart first, see configs/quickstart/README.md')
]


def losses(folder: Path, backend: str, gpu: bool) -> List[float]:
    """Return the losses of the first 20 steps."""
    environment = dict(
        os.environ,
        MMVIDEOMAMBA_BACKEND=backend,
        # TF32 keeps 10 bits of a product.
        NVIDIA_TF32_OVERRIDE='0',
        OMP_NUM_THREADS='8')
    if not gpu:
        environment['CUDA_VISIBLE_DEVICES'] = ''
    done = subprocess.run([
        sys.executable,
        str(HERE / 'quickstart_losses.py'), f'configs/quickstart/{NAME}.py',
        str(folder), '20'
    ],
                          cwd=ROOT,
                          env=environment,
                          capture_output=True,
                          text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_triton_trains_as_torch_does(tmp_path: Path) -> None:
    found = losses(tmp_path / 'gpu', 'triton', True)
    wanted = losses(tmp_path / 'cpu', 'torch', False)
    print('losses on the GPU', found, 'and the CPU', wanted)
    assert len(wanted) == 20
    assert len(set(wanted)) == 20
    assert found == pytest.approx(wanted, rel=1e-4)
