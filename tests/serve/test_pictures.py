"""Pictures and clips of parts, from files of any shape and codec."""
import os
import threading
from pathlib import Path

import numpy as np
import pytest
from serve.conftest import film, pixels

from mmvideomamba.datasets.video import MediaError
from mmvideomamba.serve import pictures
from mmvideomamba.serve.pictures import (ConvertedClips, FramePictures,
                                         check_readable, convert_clip, shrink)


@pytest.mark.parametrize('height, width, side, expected', [
    (100, 200, 400, (100, 200)),
    (100, 200, 100, (50, 100)),
    (2000, 3, 400, (400, 2)),
])
def test_shrink(height: int, width: int, side: int, expected: tuple) -> None:
    frame = np.full((height, width, 3), 7, np.uint8)
    found = shrink(frame, side)
    assert found.shape == (*expected, 3) and (found == 7).all()


def test_check_readable(tmp_path: Path) -> None:
    check_readable(str(film(tmp_path / 'a.webm', 'libvpx')))
    (tmp_path / 'bad.mp4').write_text('no video')
    with pytest.raises(MediaError, match='is not a video file'):
        check_readable(str(tmp_path / 'bad.mp4'))


def test_time_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hanging decoder is given up."""
    path = film(tmp_path / 'hangs.mp4', 'libx264')
    monkeypatch.setattr(pictures, 'READ_SECONDS', .05)
    monkeypatch.setattr(pictures, 'open_video',
                        lambda _: threading.Event().wait(1))
    with pytest.raises(MediaError, match='hang'):
        check_readable(str(path))


def test_pictures_are_kept(tmp_path: Path,
                           monkeypatch: pytest.MonkeyPatch) -> None:
    """A changed file is read again; few readers stay open."""
    files = [film(tmp_path / f'{i}.mp4', 'libx264', 50 * i) for i in range(5)]
    opened = []
    real = pictures.open_video

    def open_video(path: str) -> object:
        opened.append(Path(path).name)
        return real(path)

    monkeypatch.setattr(pictures, 'open_video', open_video)
    frames = FramePictures()
    for file in files + files[:1]:
        frames.picture(str(file), file.stat(), 1.)
    assert opened == ['0.mp4', '1.mp4', '2.mp4', '3.mp4', '4.mp4']
    before = frames.picture(str(files[4]), files[4].stat(), 2.)
    film(files[4], 'libx264', 250)
    os.utime(files[4], ns=(1, 1))
    after = frames.picture(str(files[4]), files[4].stat(), 2.)
    greens = [np.median(pixels(one)[..., 1]) for one in (before, after)]
    assert greens == pytest.approx([200, 250], abs=6)
    assert len(frames._readers) == 3
    frames.close()


def test_clips_are_kept(tmp_path: Path,
                        monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, '_KEPT_CLIPS', 2)
    monkeypatch.setattr(pictures, 'CLIP_SECONDS', 1.)
    source = film(tmp_path / 'a.avi', 'mpeg4')
    (tmp_path / 'clips').mkdir()
    clips = ConvertedClips(tmp_path / 'clips')
    made = [
        clips.clip(str(source), source.stat(), start, 4.)
        for start in (0., 1., 0., 2., 3.)
    ]
    assert made[0] == made[2]
    assert sorted((tmp_path / 'clips').iterdir()) == sorted(made[3:])
    with pictures.open_video(str(made[3])) as video:
        assert len(video) == 10  # the limit, of 2 s asked for
    (tmp_path / 'bad.avi').write_bytes(source.read_bytes()[:3000])
    bad = tmp_path / 'bad.avi'
    with pytest.raises(MediaError):
        clips.clip(str(bad), bad.stat(), 0., 4.)
    assert len(list((tmp_path / 'clips').iterdir())) == 2


def test_no_such_part(tmp_path: Path) -> None:
    source = str(film(tmp_path / 'a.mp4', 'libx264'))
    for start, end in ((4., 5.), (2., 2.), (3., 1.)):
        with pytest.raises(ValueError, match='lasts 4.000 s'):
            convert_clip(source, start, end, tmp_path / 'x.mp4')
    assert not (tmp_path / 'x.mp4').exists()
