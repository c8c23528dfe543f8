"""Lines of the log of a library's FFmpeg."""
from typing import Any, Iterator

import cv2
import pytest
from video_kinds import VideoKinds

from mmvideomamba.datasets.video import decoder_log as module
from mmvideomamba.datasets.video.decoder_log import decoder_log
from mmvideomamba.datasets.video.opencv_reader import OpenCVReader


@pytest.fixture
def paths(monkeypatch: pytest.MonkeyPatch) -> Iterator[list]:
    """Return the list of loaded copies; opening one gives the path."""
    found: list = []
    monkeypatch.setattr(module, '_copies_of_libavutil', lambda: found)
    monkeypatch.setattr(module.ctypes, 'CDLL', lambda path: path)
    monkeypatch.setattr(module, 'DecoderLog', lambda util: util)
    decoder_log.cache_clear()
    yield found
    decoder_log.cache_clear()


def test_copy_of_a_library(paths: list) -> None:
    """decoder_log opens the wheel's own libavutil, or the system's."""
    paths += [
        '/venv/av.libs/libavutil-1.so', '/opencv/decord.libs/libavutil-2.so',
        '/usr/lib/libavutil.so.57'
    ]
    assert decoder_log('decord') == '/opencv/decord.libs/libavutil-2.so'
    assert decoder_log('') == '/usr/lib/libavutil.so.57'
    assert decoder_log('opencv') is None


def test_copy_of_pyav_is_left_alone(paths: list) -> None:
    """PyAV gathers the log of its own libavutil, maybe the system's."""
    paths += ['/usr/lib/libavutil.so.57']
    assert decoder_log('') is None


def test_system_without_a_list(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the loaded libraries are unknown, there is no log."""
    monkeypatch.setattr(module, 'LOADED', '/proc/self/no such file')
    decoder_log.cache_clear()
    assert decoder_log('decord') is None
    decoder_log.cache_clear()


class Util:
    """A libavutil remembering the last callback."""

    av_log_default_callback = 'default'

    def __init__(self) -> None:
        self.callback: Any = 'untouched'

    def av_log_set_callback(self, callback: Any) -> None:
        self.callback = callback


def test_lines_reach_python_inside_blocks_alone(
        monkeypatch: pytest.MonkeyPatch) -> None:
    """A decoder's thread waiting for Python's lock could block all threads."""
    monkeypatch.setattr(module.atexit, 'register', lambda *args: None)
    util = Util()
    log = module.DecoderLog(util)
    assert util.callback is None
    with log:
        with log:
            pass
        # The block of another thread is still open.
        for level in (8, 16, 16 + (3 << 8), 24, -8):
            util.callback(None, level, b'', None)
    assert util.callback is None
    assert log.errors == 3


def test_end_of_an_unreleased_file(video_kinds: VideoKinds) -> None:
    """A user's capture may end while threads of the decoder write lines."""
    path = str(video_kinds.get('h264.mp4').path)
    with OpenCVReader(path, path) as reader:
        reader.get_frames([0])
    for _ in range(20):
        cv2.VideoCapture(path, cv2.CAP_FFMPEG,
                         [cv2.CAP_PROP_N_THREADS, 4]).read()
