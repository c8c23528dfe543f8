"""Clips, and a model trained on them by the stock tool."""
from pathlib import Path
from typing import Callable, Iterator

import pytest
import torch
from bad_videos import encode, make_bad_videos
from filelock import FileLock
from host_tools import CONFIG, ROOT, run_python, run_tool


def write_list(path: Path, names: list) -> None:
    """Write the annotation file of clips named after their label."""
    path.write_text(''.join(f'{name} {name[0]}\n' for name in names))


@pytest.fixture(scope='session')
def make_once(
    pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str, Callable[[Path], None]], Path]:
    """Return a function to fill a folder once for all workers of a run."""

    def make_once(name: str, fill: Callable[[Path], None]) -> Path:
        base = tmp_path_factory.getbasetemp()
        if hasattr(pytestconfig, 'workerinput'):
            base = base.parent
        folder, done = base / name, base / f'{name}.done'
        with FileLock(base / f'{name}.lock'):
            if not done.exists():
                folder.mkdir(exist_ok=True)
                fill(folder)
                done.touch()
        return folder

    return make_once


def make_clips(folder: Path) -> None:
    """Encode 8 clips for training and 4 for validation in data/."""
    data = folder / 'data'
    data.mkdir()
    names = [f'{i % 2}_{i}.mp4' for i in range(12)]
    for i, name in enumerate(names):
        mirror = ('-vf', 'hflip') if i % 2 else ()
        encode(data / name, *mirror, '-c:v', 'mpeg4', frames=6 + i // 2)
    write_list(data / 'train.txt', names[:8])
    write_list(data / 'val.txt', names[8:])


@pytest.fixture(scope='session')
def clips(make_once: Callable) -> Path:
    """Return a folder with data/: 8 clips for training, 4 for validation.

    The clips of class 1 are those of class 0, mirrored.
    """
    return make_once('clips', make_clips)


@pytest.fixture(scope='session')
def bad_videos(make_once: Callable) -> Path:
    """Return a folder with the files of tests/bad_videos.py."""
    return make_once('bad_videos', make_bad_videos)


@pytest.fixture(scope='session')
def trained(clips: Path, make_once: Callable) -> Path:
    """Return the working folder of a training without interruption."""

    def train(folder: Path) -> None:
        done = run_tool('train.py', CONFIG, '--work-dir', folder, cwd=clips)
        assert done.returncode == 0, done.stderr

    return make_once('trained', train)


@pytest.fixture(scope='session')
def caption_clips(make_once: Callable) -> Path:
    """Return a folder with data/: 60 clips with captions, and 20 others."""
    for name in ('skimage', 'imageio_ffmpeg'):
        pytest.importorskip(name, reason='the extra quickstart is missing')

    def make(folder: Path) -> None:
        tool = ROOT / 'tools/data/quickstart/make_quickstart_captions.py'
        done = run_python(
            tool, '--out-dir', 'data', '--train', 1, '--val', 1, cwd=folder)
        assert done.returncode == 0, done.stderr

    return make_once('captions', make)


@pytest.fixture(autouse=True)
def restore_determinism() -> Iterator[None]:
    """Undo what a runner in this process sets for the whole process."""
    before = torch.are_deterministic_algorithms_enabled()
    yield
    torch.use_deterministic_algorithms(before)
