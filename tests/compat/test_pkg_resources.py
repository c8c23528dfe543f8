"""An import of a missing pkg_resources names the package to install."""
from pathlib import Path

from mmvideomamba.compat import pkg_resources
from .fresh_python import run_python


def test_sound_setuptools() -> None:
    assert pkg_resources.WORKAROUND.cause() == ''


def test_missing_is_explained(tmp_path: Path) -> None:
    config = tmp_path / 'config.py'
    config.write_text("_base_ = 'mmaction::_base_/default_runtime.py'")
    done = run_python(
        'from importlib.machinery import PathFinder\n'
        'find = PathFinder.find_spec\n'
        'PathFinder.find_spec = classmethod(lambda cls, name, *rest: None'
        ' if name == "pkg_resources" else find(name, *rest))\n'
        'import mmvideomamba\n'
        'from mmengine.config import Config\n'
        'try:\n'
        '    import pkg_resources\n'
        'except ImportError:\n'
        '    print("an optional import still falls back")\n'
        f'Config.fromfile({str(config)!r})')
    assert done.returncode == 1
    assert 'falls back' in done.stdout
    assert 'pip install "setuptools>=77.0.3,<82"' in done.stderr
