"""Clips, and a model trained on them by the stock tool."""
from pathlib import Path
from typing import Iterator

import pytest
import torch
from bad_videos import encode, make_bad_videos
from host_tools import CONFIG, ROOT, run_python, run_tool


def write_list(path: Path, names: list) -> None:
    """Write the annotation file of clips named after their label."""
    path.write_text(''.join(f'{name} {name[0]}\n' for name in names))


@pytest.fixture(scope='session')
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with data/: 8 clips for training, 4 for validation.

    The clips of class 1 are those of class 0, mirrored.
    """
    folder = tmp_path_factory.mktemp('clips')
    data = folder / 'data'
    data.mkdir()
    names = [f'{i % 2}_{i}.mp4' for i in range(12)]
    for i, name in enumerate(names):
        mirror = ('-vf', 'hflip') if i % 2 else ()
        encode(data / name, *mirror, '-c:v', 'mpeg4', frames=6 + i // 2)
    write_list(data / 'train.txt', names[:8])
    write_list(data / 'val.txt', names[8:])
    return folder


@pytest.fixture(scope='session')
def bad_videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the files of tests/bad_videos.py."""
    folder = tmp_path_factory.mktemp('bad_videos')
    make_bad_videos(folder)
    return folder


@pytest.fixture(scope='session')
def trained(clips: Path) -> Path:
    """Return the working folder of a training without interruption."""
    folder = clips / 'whole'
    done = run_tool('train.py', CONFIG, '--work-dir', folder, cwd=clips)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope='session')
def caption_clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with data/: 60 clips with captions, and 20 others."""
    for name in ('skimage', 'imageio_ffmpeg'):
        pytest.importorskip(name, reason='the extra quickstart is missing')
    folder = tmp_path_factory.mktemp('captions')
    make = ROOT / 'tools/data/quickstart/make_quickstart_captions.py'
    done = run_python(
        make, '--out-dir', 'data', '--train', 1, '--val', 1, cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(autouse=True)
def restore_determinism() -> Iterator[None]:
    """Undo what a runner in this process sets for the whole process."""
    before = torch.are_deterministic_algorithms_enabled()
    yield
    torch.use_deterministic_algorithms(before)
