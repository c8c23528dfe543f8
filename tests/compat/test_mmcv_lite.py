"""mmcv-lite's advice to install mmcv is left out."""
import subprocess
import sys

from mmvideomamba.compat.mmcv_lite import WORKAROUND

IMPORT = 'import mmcv.cnn.bricks.transformer'


def warnings_of(code: str) -> str:
    return subprocess.run([sys.executable, '-c', code],
                          stderr=subprocess.PIPE,
                          check=True,
                          text=True).stderr


def test_no_advice() -> None:
    assert 'mmcv-lite' in WORKAROUND.cause()
    assert 'MultiScaleDeformableAttention' in warnings_of(IMPORT)
    assert 'MultiScale' not in warnings_of(f'import mmvideomamba; {IMPORT}')
