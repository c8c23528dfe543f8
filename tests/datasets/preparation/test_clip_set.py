"""Clips are encoded and folders are prepared, or an error says why not."""
from pathlib import Path

import numpy as np
import pytest
from absent import make_absent

from mmvideomamba.datasets.preparation import (check_sources, clip_set, encode,
                                               make_all, prepare_folder)
from mmvideomamba.extras import MissingExtraError

pytest.importorskip('imageio_ffmpeg', reason='quickstart is not installed')


def test_failing_encoder_is_reported(tmp_path: Path) -> None:
    frames = np.zeros((2, 16, 16, 3), np.uint8)
    with pytest.raises(RuntimeError, match='ffmpeg could not write .*x.mp4'):
        encode(frames, 10, ['-c:v', 'no_codec'], tmp_path / 'x.mp4')


def test_prepare_folder(tmp_path: Path) -> None:
    folder = tmp_path / 'set'
    prepare_folder(folder, dict(seed=0), overwrite=False)
    (folder / 'train').mkdir()
    (folder / 'note.txt').touch()
    with pytest.raises(FileExistsError, match='pass --overwrite'):
        prepare_folder(folder, dict(seed=1), overwrite=False)
    prepare_folder(folder, dict(seed=1), overwrite=True)
    assert sorted(p.name
                  for p in folder.iterdir()) == ['note.txt', 'settings.json']


@pytest.mark.parametrize('num_workers', [1, 2])
def test_make_all(tmp_path: Path, num_workers: int) -> None:
    paths = [tmp_path / str(i) for i in range(5)]
    make_all(Path.touch, paths, num_workers)
    assert all(path.is_file() for path in paths)


@pytest.mark.parametrize('package', ['skimage', 'imageio_ffmpeg'])
def test_missing_packages(package: str,
                          monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures alone need no encoder."""
    check_sources()
    for part in (clip_set.ffmpeg_binary, clip_set.load_picture):
        part.cache_clear()
    make_absent(monkeypatch, package)
    with pytest.raises(MissingExtraError, match=f'needs {package}'):
        check_sources()
    if package == 'imageio_ffmpeg':
        check_sources(encoder=False)
