"""The doctor on a GPU: right kernels pass, wrong ones are avoided."""
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable, Dict, Iterator

import pytest
import torch
from gpu_marks import GPU_ONLY

from mmvideomamba.doctor.__main__ import main
from mmvideomamba.ops.runtime import verdicts
from mmvideomamba.ops.scan.n16_support import n16_reason

pytestmark = GPU_ONLY
ROOT = Path(__file__).parents[2]
LATER = """
import torch
from mmvideomamba.ops.scan.triton.launch import uses_n16_kernels
for dtype in (torch.bfloat16, torch.float16):
    print(uses_n16_kernels(dtype, 32, 16))
"""


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Keep verdicts in a folder of the test's own."""
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    verdicts.forget()
    yield tmp_path
    verdicts.forget()


def verdict(cache: Path) -> Dict[str, Any]:
    """Return the content of the only verdict."""
    file, = cache.glob('mmvideomamba/verdicts/*.json')
    return json.loads(file.read_text())


def test_every_kernel_is_right(cache: Path,
                               capsys: pytest.CaptureFixture) -> None:
    # The second run has all kernels compiled; both times are in the output.
    codes = [main(['--gpu']), main(['--gpu'])]
    table = capsys.readouterr().out
    with capsys.disabled():
        print('\n' + table)
    assert codes == [0, 0], table
    kept = verdict(cache)
    assert kept['wrong'] == [] and kept['facts']['driver']
    assert kept['facts']['device'] == torch.cuda.get_device_name()


class _Wrong:
    """A kernel whose seventh argument, the output, is 2 % off in a block."""

    def __init__(self, kernel: Any) -> None:
        self.kernel = kernel

    def __getitem__(self, grid: tuple) -> Callable:

        def run(*args: Any, **kwargs: Any) -> None:
            self.kernel[grid](*args, **kwargs)
            args[6][..., 32:64] *= 1.02

        return run


def test_wrong_kernels_for_16_states(cache: Path,
                                     capsys: pytest.CaptureFixture,
                                     monkeypatch: pytest.MonkeyPatch) -> None:
    if n16_reason():
        pytest.skip(n16_reason())
    from mmvideomamba.ops.scan.triton import launch
    monkeypatch.setattr(launch, 'n16_fwd_kernel',
                        _Wrong(launch.n16_fwd_kernel))
    code = main(['--gpu'])
    assert code == 1, capsys.readouterr().out
    assert [(w['family'], w['dtype']) for w in verdict(cache)['wrong']
            ] == [(verdicts.N16_SCAN, 'bfloat16'),
                  (verdicts.N16_SCAN, 'float16')]
    # The packages of this process may lie in a folder on its path alone.
    paths = os.pathsep.join([str(ROOT), *filter(None, sys.path)])
    later = subprocess.run([sys.executable, '-W', 'ignore', '-c', LATER],
                           env=dict(os.environ, PYTHONPATH=paths),
                           capture_output=True,
                           text=True)
    assert later.stdout.split() == ['False', 'False'], later.stderr
    assert later.stderr.count('wrong kernels on') == 1
