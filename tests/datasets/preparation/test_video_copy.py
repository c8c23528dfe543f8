"""Copies of videos: the same frames and times, keys close, checked."""
import errno
from fractions import Fraction
from pathlib import Path
from typing import Any, Dict, Tuple

import av
import cv2
import numpy as np
import pytest
from av.video.frame import PictureType
from numbered_frames import draw, read_number, run_ffmpeg, truncate

from mmvideomamba.datasets.preparation import disk_errors, video_copy
from mmvideomamba.datasets.preparation.disk_errors import DiskError
from mmvideomamba.datasets.preparation.video_copy import (CopySettings,
                                                          check_encoder,
                                                          copy_video)
from mmvideomamba.datasets.video import MediaError, open_video
from mmvideomamba.datasets.video.pyav_reader import PyAVReader

FRAMES = 20
H264 = '-c:v libx264 -preset ultrafast -crf 10 -pix_fmt yuv420p'
TONE = '-f lavfi -t 0.8 -i sine'
# Name to options and size; 'uneven.mkv' lacks frames of a part.
KINDS: Dict[str, Tuple[str, Tuple[int, int]]] = {
    'b_frames.mp4': ('-c:v libx264 -g 50 -bf 3 -crf 10', (64, 48)),
    'uneven.mkv':
    (f"-vf select='lt(n,8)+not(mod(n,3))' -fps_mode vfr {H264}", (64, 48)),
    'odd.avi': ('-c:v ffv1', (65, 49)),
    'full_range.mp4':
    ('-vf scale=out_range=pc:out_color_matrix=bt709 -color_range pc '
     '-colorspace bt709 -c:v libx264 -crf 10 -pix_fmt yuvj420p', (64, 48)),
    'flat.mp4': (f'-aspect 16:9 {H264}', (64, 48)),
}


@pytest.fixture(scope='module')
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make one video of each kind, and one with a display rotation."""
    folder = tmp_path_factory.mktemp('videos')
    for name, (options, size) in KINDS.items():
        make(folder / name, options, size)
    run_ffmpeg('-display_rotation', 90, '-i', folder / 'b_frames.mp4', '-c',
               'copy', folder / 'turned.mp4')
    make(folder / 'sound.mkv', f'{H264} -c:a aac -ac 1', inputs=TONE)
    make(folder / 'wma.mkv', f'{H264} -c:a wmav2 -ac 1', inputs=TONE)
    make(folder / 'raw.h264', H264)
    return folder


def make(path: Path,
         options: str,
         size: Tuple[int, int] = (64, 48),
         inputs: str = '') -> None:
    """Encode frames with their numbers drawn in."""
    raw = b''.join(draw(i, size).tobytes() for i in range(FRAMES))
    done = run_ffmpeg(
        '-f',
        'rawvideo',
        '-pix_fmt',
        'rgb24',
        '-s',
        '{}x{}'.format(*size),
        '-r',
        25,
        '-i',
        '-',
        *inputs.split(),
        *options.split(),
        path,
        content=raw)
    assert done.returncode == 0, done.stderr


def opened(path: Path) -> PyAVReader:
    """Open a video with PyAV, for access to the decoded frames."""
    video = open_video(path, 'pyav')
    assert isinstance(video, PyAVReader)
    return video


def times_of(path: Path) -> list:
    """Return when the frames are shown, in seconds, from the first on."""
    with opened(path) as video:
        times = [f.pts * f.time_base for f in video.walk()]
    return [time - times[0] for time in times]


def psnr(first: np.ndarray, second: np.ndarray) -> float:
    """Return the ratio of signal to noise, in dB."""
    error = np.mean((first.astype(float) - second)**2)
    return float(10 * np.log10(255**2 / max(error, 1e-9)))


@pytest.mark.parametrize('name', [*KINDS, 'turned.mp4'])
def test_frame_is_frame(name: str, videos: Path, tmp_path: Path) -> None:
    target = tmp_path / 'copy.mp4'
    settings = CopySettings(key_frames=6, crf=12, preset='veryfast')
    made = copy_video(str(videos / name), target, settings)
    assert list(tmp_path.iterdir()) == [target]
    with opened(videos / name) as video, opened(target) as copy:
        assert made.frames == len(copy) == len(video) > 8
        assert made.audio == 'none'
        # The library guesses the rate of the uneven file from its start.
        same = copy.avg_fps == pytest.approx(video.avg_fps, rel=1e-2)
        assert same == (made.times == 'kept') == (name != 'uneven.mkv')
        before = video.get_frames(range(len(video)))
        after = copy.get_frames(range(len(copy)))
        kinds = [PictureType(f.pict_type).name for f in copy.walk()]
        assert [copy.key_frame(i) for i in range(len(copy))
                ] == [i // 6 * 6 for i in range(len(copy))]
        aspects = video.pixel_aspect, copy.pixel_aspect
    assert kinds == ['P' if i % 6 else 'I' for i in range(len(kinds))]
    size = after.shape[2], after.shape[1]
    before = np.stack([cv2.resize(frame, size) for frame in before])
    for one, other in zip(before, after):
        assert read_number(one) == read_number(other)
        assert psnr(one, other) > (25 if name == 'odd.avi' else 33)
    if name != 'turned.mp4':
        assert aspects[0] == aspects[1]
    for one, other in zip(times_of(videos / name), times_of(target)):
        assert abs(one - other) <= Fraction(1, 1000)


def test_smaller_and_faster(videos: Path, tmp_path: Path) -> None:
    settings = CopySettings(short_side=24, key_frames=5, fast_decode=True)
    copy_video(str(videos / 'turned.mp4'), tmp_path / 'a.mp4', settings)
    with open_video(tmp_path / 'a.mp4') as copy:
        assert copy.size == (32, 24)
    with av.open(str(tmp_path / 'a.mp4')) as file:
        options = bytes(next(file.demux(video=0)))[:1000]
    # x264 writes the settings before the first picture.
    for text in (b'cabac=0', b'keyint=5', b'scenecut=0', b'bframes=0',
                 b'threads=1 '):
        assert text in options.replace(b'/', b' '), text


def test_audio(videos: Path, tmp_path: Path) -> None:
    target, settings = tmp_path / 'a.mp4', CopySettings()
    source = str(videos / 'sound.mkv')
    assert copy_video(source, target, settings).audio == 'kept'
    with av.open(source) as one, av.open(str(target)) as other:
        before = [bytes(p) for p in one.demux(audio=0) if p.size]
        packets = [p for p in other.demux(audio=0) if p.size]
        assert [bytes(p) for p in packets] == before[-len(packets):]
        # The encoder's priming packet lies before the first frame.
        assert 0 <= len(before) - len(packets) <= 1
    settings = CopySettings(drop_audio=True)
    assert copy_video(source, target, settings).audio == 'dropped'
    source = str(videos / 'wma.mkv')
    made = copy_video(source, target, CopySettings())
    assert made.audio == 'refused' and made.frames == FRAMES
    with av.open(str(target)) as file:
        assert [s.type for s in file.streams] == ['video']


def test_no_time_stamps(videos: Path, tmp_path: Path) -> None:
    made = copy_video(
        str(videos / 'raw.h264'), tmp_path / 'a.mp4', CopySettings())
    assert made.times == 'even' and made.frames == FRAMES
    steps = np.diff([float(t) for t in times_of(tmp_path / 'a.mp4')])
    assert np.allclose(steps, 1 / 25)


def test_bad_original(videos: Path, tmp_path: Path) -> None:
    cut = truncate(videos / 'b_frames.mp4', tmp_path / 'cut.mp4', .6)
    with pytest.raises(MediaError, match='cut.mp4 .* cut off'):
        copy_video(str(cut), tmp_path / 'a.mp4', CopySettings())
    assert list(tmp_path.iterdir()) == [cut]


@pytest.mark.parametrize('fault, text', [
    ('lost', 'the copy has 19 frames instead of 20'),
    ('late', r'the copy has the time 0.3600 s instead of 0.4000 s at frame'),
    ('key', 'the copy lacks a key frame at frame 7'),
])
def test_wrong_copy_is_not_kept(fault: str, text: str, videos: Path,
                                tmp_path: Path,
                                monkeypatch: pytest.MonkeyPatch) -> None:
    check = video_copy._Maker.check

    def spoil(maker: Any, draft: Path) -> None:
        if fault == 'lost':
            run_ffmpeg('-i', draft, '-c', 'copy', '-frames:v', FRAMES - 1,
                       tmp_path / 'short.mp4')
            (tmp_path / 'short.mp4').rename(draft)
        elif fault == 'late':
            maker.times[9:] = [t + Fraction(1, 25) for t in maker.times[9:]]
        else:
            maker.settings = maker.settings._replace(key_frames=7)
        check(maker, draft)

    monkeypatch.setattr(video_copy._Maker, 'check', spoil)
    with pytest.raises(MediaError, match=text) as error:
        copy_video(
            str(videos / 'b_frames.mp4'), tmp_path / 'a.mp4', CopySettings())
    assert 'b_frames.mp4 was not copied rightly' in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_full_disk(videos: Path, tmp_path: Path,
                   monkeypatch: pytest.MonkeyPatch) -> None:

    class Full:
        """A file on a disk with no space left."""

        def __init__(self, path: Path, mode: str) -> None:
            self.file = open(path, mode)
            self.seek, self.tell = self.file.seek, self.file.tell
            self.close = self.file.close

        def write(self, data: bytes) -> int:
            raise OSError(errno.ENOSPC, 'No space left on device')

    monkeypatch.setattr(disk_errors, 'open', Full, raising=False)
    with pytest.raises(DiskError, match='a.mp4.*No space left') as error:
        copy_video(
            str(videos / 'b_frames.mp4'), tmp_path / 'a.mp4', CopySettings())
    assert error.value.errno == errno.ENOSPC
    assert list(tmp_path.iterdir()) == []


def test_no_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    check_encoder()
    monkeypatch.setattr(video_copy, 'ENCODER', 'libx999')
    with pytest.raises(ImportError, match='no encoder libx999.*pip install'):
        check_encoder()


def test_square_picture_on_the_side(tmp_path: Path) -> None:
    """Wide pixels become tall, though both sides have the same length."""
    make(tmp_path / 'flat.mp4', f'-vf setsar=3/2 {H264}', (64, 64))
    run_ffmpeg('-display_rotation', 90, '-i', tmp_path / 'flat.mp4', '-c',
               'copy', tmp_path / 'turned.mp4')
    copy_video(
        str(tmp_path / 'turned.mp4'), tmp_path / 'copy.mp4', CopySettings())
    with opened(tmp_path / 'copy.mp4') as copy:
        assert copy.pixel_aspect == Fraction(2, 3)
