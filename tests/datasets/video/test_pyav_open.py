"""The file's header and the pictures give the same facts."""
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from video_kinds import KINDS, VideoKinds, read_number, run_ffmpeg

from mmvideomamba.datasets.video import MediaError, pyav_reader
from mmvideomamba.datasets.video.pyav_open import is_mp4, open_stream
from mmvideomamba.datasets.video.pyav_reader import PyAVReader

# Kinds of H.264 with another stream, or with an incomplete header.
UNTOLD = {'cover.mp4', 'dash.mp4', 'fragmented.mp4'}
MP4 = [name for name in KINDS if name.endswith(('mp4', 'mov'))]


@pytest.mark.parametrize('name', MP4)
def test_header_tells_the_same(video_kinds: VideoKinds, name: str,
                               monkeypatch: pytest.MonkeyPatch) -> None:
    path = str(video_kinds.path(name))
    with PyAVReader(path, path) as video:
        assert video._quick is (video._stream.codec_context.name == 'h264'
                                and name not in UNTOLD)
        monkeypatch.setattr(pyav_reader, 'is_mp4', lambda _: False)
        with PyAVReader(path, path) as other:
            assert not other._quick
            assert len(video) == len(other)
            assert video.avg_fps == other.avg_fps
            assert video.announces_end is other.announces_end
            for key in ('pts', 'dts', 'keys', 'order', 'sequential'):
                found, right = (getattr(v.table, key) for v in (video, other))
                assert np.array_equal(found, right), key


def test_shape_of_pixels(video_kinds: VideoKinds, tmp_path: Path) -> None:
    """The pixel aspect missing in the header is read from the pictures."""
    path, wide = tmp_path / 'a.mp4', 'h264_metadata=sample_aspect_ratio=4/3'
    run_ffmpeg('-i', video_kinds.path('h264.mp4'), '-c', 'copy', '-bsf:v',
               wide, path)
    path.write_bytes(path.read_bytes().replace(b'pasp', b'free'))
    with PyAVReader(str(path), 'a.mp4') as video:
        assert video._quick
        assert video.pixel_aspect == Fraction(4, 3)
        assert read_number(video.get_frames([30])[0]) == 30


def test_first_box(tmp_path: Path) -> None:
    path = tmp_path / 'a'
    path.write_bytes(b'\0\0\0\x20ftypisom')
    assert is_mp4(str(path)) and is_mp4(path.read_bytes())
    path.write_bytes(b'ftyp')
    assert not is_mp4(str(path)) and not is_mp4(path.read_bytes())
    assert not is_mp4(str(tmp_path / 'missing'))


@pytest.mark.parametrize('quick', [False, True])
def test_no_video(tmp_path: Path, quick: bool) -> None:
    path = tmp_path / 'a.mp4'
    path.write_bytes(b'\0\0\0\x20ftypisom' + bytes(100))
    with pytest.raises(MediaError, match='a.mp4 is not a video'):
        open_stream(str(path), str(path), quick)
