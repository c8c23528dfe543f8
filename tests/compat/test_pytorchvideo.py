"""pytorchvideo imports with a current torchvision."""
import importlib.util
from pathlib import Path

import pytest

from mmvideomamba.compat import pytorchvideo
from .fresh_python import run_python


def test_not_installed(monkeypatch) -> None:
    monkeypatch.setattr(pytorchvideo, 'package_dir', lambda name: None)
    assert pytorchvideo.WORKAROUND.cause() == ''


def test_old_torchvision(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(pytorchvideo, 'package_dir', lambda name: tmp_path)
    assert 'lacks' in pytorchvideo.WORKAROUND.cause()
    (tmp_path / 'transforms').mkdir()
    (tmp_path / 'transforms/functional_tensor.py').touch()
    assert pytorchvideo.WORKAROUND.cause() == ''


@pytest.mark.skipif(
    importlib.util.find_spec('torchvision') is None,
    reason='torchvision is not installed')
def test_module_is_served_when_used(tmp_path: Path) -> None:
    package = tmp_path / 'pytorchvideo'
    package.mkdir()
    (package / '__init__.py').touch()
    (package / 'transforms.py').write_text(
        'import torchvision.transforms.functional_tensor as F_t\n'
        'print(F_t.rgb_to_grayscale.__module__)\n')
    done = run_python(
        'import sys, mmvideomamba\n'
        'assert "torchvision" not in sys.modules\n'
        'import pytorchvideo.transforms', tmp_path)
    assert done.returncode == 0, done.stderr
    assert 'torchvision.transforms' in done.stdout
