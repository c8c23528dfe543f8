"""Reader with torchcodec."""
import sys

import pytest
from video_kinds import VideoKinds, damage, read_number

from mmvideomamba.datasets.video import MediaError, UnsupportedVideoError
from mmvideomamba.datasets.video.choice import reader_class


@pytest.fixture(scope='module')
def torchcodec() -> type:
    """Return the reader, or skip with the reason of the library."""
    try:
        return reader_class('torchcodec')
    except ImportError as error:
        pytest.skip(str(error))


def test_frames_out_of_place_are_refused(torchcodec: type,
                                         video_kinds: VideoKinds) -> None:
    """Frames are refused after a key frame needing earlier frames."""
    path = str(video_kinds.get('intra_refresh.mp4').path)
    with torchcodec(path, path) as reader:
        assert read_number(reader.get_frames([5])[0]) == 5
        with pytest.raises(UnsupportedVideoError, match='intra_refresh.mp4'):
            reader.get_frames([30])


def test_errors(torchcodec: type, video_kinds: VideoKinds, tmp_path) -> None:
    """A container without an index is refused, damage is called damage."""
    path = str(video_kinds.path('h264.ts'))
    with pytest.raises(UnsupportedVideoError, match='the container mpegts'):
        torchcodec(path, path)
    path = str(damage(video_kinds.path('h264.mp4'), tmp_path / 'a.mp4'))
    with torchcodec(path, path) as reader:
        with pytest.raises(MediaError, match='a.mp4 is damaged'):
            reader.get_frames(range(60))
    with pytest.raises(ValueError, match='is closed'):
        reader.get_frames([0])


def test_libraries_of_ffmpeg(torchcodec: type,
                             monkeypatch: pytest.MonkeyPatch) -> None:
    """Without FFmpeg the library imports, but opens no file."""
    module = sys.modules[torchcodec.__module__]
    module.check_libraries()

    def fail(source: bytes) -> None:
        raise RuntimeError('Could not load libtorchcodec. Likely causes: ...')

    monkeypatch.setattr(module, 'VideoDecoder', fail)
    with pytest.raises(ImportError, match='apt-get install ffmpeg'):
        module.check_libraries()
