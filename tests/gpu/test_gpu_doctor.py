"""The doctor finds every kernel right on this GPU, and keeps the verdict."""
import json
from pathlib import Path

import pytest
import torch
from gpu_marks import GPU_ONLY

from mmvideomamba.doctor.__main__ import main
from mmvideomamba.ops.runtime import verdicts

pytestmark = GPU_ONLY


def test_every_kernel_is_right(tmp_path: Path, capsys: pytest.CaptureFixture,
                               monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    verdicts.forget()
    # The second run has all kernels compiled; both times are in the output.
    codes = [main(['--gpu']), main(['--gpu'])]
    table = capsys.readouterr().out
    with capsys.disabled():
        print('\n' + table)
    assert codes == [0, 0], table
    file, = tmp_path.glob('mmvideomamba/verdicts/*.json')
    content = json.loads(file.read_text())
    assert content['wrong'] == []
    assert content['facts']['device'] == torch.cuda.get_device_name()
    assert content['facts']['driver']
    verdicts.forget()
