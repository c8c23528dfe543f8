"""The verb ``explain``: pictures, videos and numbers."""
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from mmvideomamba.cli import main


def run(model: Any, inputs: Any, out: Path, *words: str) -> int:
    return main([
        'explain',
        str(model),
        str(inputs), '--out',
        str(out), '--device', 'cpu', *words
    ])


def test_videos(trained_file: Any, tmp_path: Path,
                capsys: pytest.CaptureFixture) -> None:
    """An unreadable video is named; all other videos are explained."""
    (trained_file.folder / 'bad.mp4').write_bytes(b'none')
    out = tmp_path / 'out'
    assert run(trained_file.file, trained_file.folder, out, '--label',
               'walk') == 65
    printed = capsys.readouterr().err
    assert '3 inputs explained' in printed and 'bad.mp4' in printed
    files = sorted(
        p.relative_to(out).as_posix() for p in out.rglob('*') if p.is_file())
    assert files == [
        f'{name}.{end}' for name in ('a', 'b', 'more/c')
        for end in ('mp4', 'npz', 'png')
    ]
    found = np.load(out / 'a.npz')
    assert found['label'] == 2 and len(found['relevance']) == 1
    with av.open(str(out / 'a.mp4')) as video:
        assert video.streams.video[0].frames == found['frames'].shape[1]


def test_images(image_file: Any, tmp_path: Path) -> None:
    file, folder = image_file
    assert run(file, folder, tmp_path / 'out') == 0
    assert sorted(p.name for p in (tmp_path / 'out').iterdir()) == [
        '0.npz', '0.png', '1.npz', '1.png'
    ]
    with pytest.raises(SystemExit, match='an image has one view'):
        run(file, folder, tmp_path / 'out', '--views', 'all')
    with pytest.raises(SystemExit, match='2'):  # explains one at a time
        run(file, folder, tmp_path / 'out', '--batch-size', '8')
    with pytest.raises(SystemExit, match='is a file; name a folder'):
        run(file, folder, file)
