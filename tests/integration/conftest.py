"""Broken videos, and clips with captions."""
from pathlib import Path
from typing import Callable, Iterator

import pytest
import torch
from bad_videos import make_bad_videos
from host_tools import ROOT, run_python


@pytest.fixture(scope='session')
def bad_videos(make_once: Callable) -> Path:
    """Return a folder with the files of tests/bad_videos.py."""
    return make_once('bad_videos', make_bad_videos)


@pytest.fixture(scope='session')
def caption_clips(make_once: Callable) -> Path:
    """Return a folder with data/: 60 clips with captions, and 2 x 20."""
    for name in ('skimage', 'imageio_ffmpeg'):
        pytest.importorskip(name, reason='the extra quickstart is missing')

    def make(folder: Path) -> None:
        tool = ROOT / 'tools/data/quickstart/make_quickstart_captions.py'
        done = run_python(
            tool,
            '--out-dir',
            'data',
            '--train',
            3,
            '--held-out',
            1,
            '--limit',
            20,
            cwd=folder)
        assert done.returncode == 0, done.stderr

    return make_once('captions', make)


@pytest.fixture(autouse=True)
def restore_determinism() -> Iterator[None]:
    """Undo the settings of a runner for the whole process."""
    before = torch.are_deterministic_algorithms_enabled()
    yield
    torch.use_deterministic_algorithms(before)
