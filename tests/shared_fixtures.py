"""Fixtures for all tests. Nothing here downloads anything."""
import logging
import random
from pathlib import Path
from typing import Callable, Iterator, List

import cv2
import numpy as np
import pytest
import torch
from common import device_of
from filelock import FileLock
from host_tools import CONFIG, run_tool
from mmengine.logging import MMLogger
from mmengine.registry import DefaultScope
from torch.utils.data import _utils as loader_parts
from video_kinds import VideoKinds

import mmvideomamba  # noqa: F401, heals the hosts before a test imports them
from mmvideomamba.ops import (BACKENDS, causal_conv1d, selective_scan,
                              use_backend)


@pytest.fixture(autouse=True, scope='session')
def short_waits() -> None:
    """Let torch wait half a second instead of five for a worker to end.

    An iterator of a loader kept alive by an error is collected later; the test
    running at the time would wait for the workers.
    """
    for module in (loader_parts, loader_parts.worker):
        assert module.MP_STATUS_CHECK_INTERVAL == 5.
        module.MP_STATUS_CHECK_INTERVAL = 0.5


@pytest.fixture(autouse=True, scope='session')
def compiled_kernels(pytestconfig: pytest.Config,
                     tmp_path_factory: pytest.TempPathFactory) -> None:
    """Compile the CPU kernels in one worker; the others load the kernels.

    Two processes must not write numba's index of compiled kernels at once.
    """
    alone = not hasattr(pytestconfig, 'workerinput')
    if alone or not device_of('numba')[0]:
        return
    lock = FileLock(tmp_path_factory.getbasetemp().parent / 'kernels.lock')
    with lock, use_backend('numba'):
        x = torch.rand(1, 2, 16, requires_grad=True)
        x = causal_conv1d(x, torch.rand(16, 4), activation='silu')
        y = selective_scan(x, x, -torch.ones(16, 16), x, x)
        torch.autograd.backward(y, torch.ones_like(x))


def write_list(path: Path, names: list) -> None:
    """Write the annotation file of clips; a name starts with the label."""
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
    from bad_videos import encode  # needs ffmpeg, other fixtures do not
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

    Clips of class 1 are the mirrored clips of class 0.
    """
    return make_once('clips', make_clips)


@pytest.fixture(scope='session')
def trained(clips: Path, make_once: Callable) -> Path:
    """Return the working folder of a training without interruption."""

    def train(folder: Path) -> None:
        done = run_tool('train.py', CONFIG, '--work-dir', folder, cwd=clips)
        assert done.returncode == 0, done.stderr

    return make_once('trained', train)


@pytest.fixture(scope='session')
def video_kinds(pytestconfig: pytest.Config,
                tmp_path_factory: pytest.TempPathFactory) -> VideoKinds:
    """Return the videos of all kinds; the workers share the files."""
    folder = tmp_path_factory.getbasetemp()
    if hasattr(pytestconfig, 'workerinput'):
        folder = folder.parent
    folder = folder / 'video_kinds'
    folder.mkdir(exist_ok=True)
    return VideoKinds(folder)


@pytest.fixture(autouse=True, scope='module')
def own_default_scope() -> Iterator[None]:
    """Undo the scopes of the runners in a file, whatever file comes next."""
    before = DefaultScope._instance_dict.copy()
    yield
    DefaultScope._instance_dict = before


@pytest.fixture(autouse=True)
def seed() -> None:
    """Start every test from the same random state."""
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)


@pytest.fixture(params=BACKENDS)
def backend(request) -> str:
    """Name each backend in turn; skip backends unable to run here."""
    device, reason = device_of(request.param)
    if device is None:
        pytest.skip(reason)
    return request.param


@pytest.fixture
def device(backend: str) -> torch.device:
    """Return the device of the backend."""
    return device_of(backend)[0]


@pytest.fixture(params=[
    'cpu',
    pytest.param(
        'gpu',
        marks=[
            pytest.mark.gpu,
            pytest.mark.skipif(
                not torch.cuda.is_available(),
                reason='no CUDA device is available')
        ])
])
def place(request: pytest.FixtureRequest,
          monkeypatch: pytest.MonkeyPatch) -> torch.device:
    """Return the CPU, and the GPU with all digits of float32, in turn."""
    monkeypatch.setattr(torch.backends.cudnn, 'allow_tf32', False)
    return torch.device('cuda' if request.param == 'gpu' else 'cpu')


@pytest.fixture
def mm_log() -> List[str]:
    """Return a list collecting the lines of mmengine's logger."""
    lines: List[str] = []

    class Collect(logging.Handler):
        """Append messages to the list."""

        def emit(self, record: logging.LogRecord) -> None:
            """Take a message apart into lines."""
            lines.extend(record.getMessage().split('\n'))

    logger, handler = MMLogger.get_current_instance(), Collect()
    logger.addHandler(handler)
    yield lines
    logger.removeHandler(handler)


@pytest.fixture
def make_video(tmp_path: Path) -> Callable[..., Path]:
    """Return a function to encode a small clip.

    A bright square moves from left to right over a noisy ground.
    """

    def make(name: str = 'clip.mp4',
             frames: int = 16,
             size: tuple = (64, 48),
             fps: float = 10.,
             codec: str = 'mp4v') -> Path:
        path = tmp_path / name
        writer = cv2.VideoWriter(
            str(path), cv2.VideoWriter_fourcc(*codec), fps, size)
        if not writer.isOpened():
            pytest.skip(f'this OpenCV cannot encode {codec}')
        width, height = size
        side = height // 4
        ground = np.random.RandomState(0).randint(0, 64, (height, width, 3),
                                                  np.uint8)
        for i in range(frames):
            frame = ground.copy()
            x = i * (width - side) // max(1, frames - 1)
            frame[side:2 * side, x:x + side] = 255
            writer.write(frame)
        writer.release()
        return path

    return make
