"""Lines of the log of a library's FFmpeg."""
from typing import Iterator

import pytest

from mmvideomamba.datasets.video import decoder_log as module
from mmvideomamba.datasets.video.decoder_log import decoder_log


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
    """The copy in the wheel of the library, or that of the system."""
    paths += [
        '/venv/av.libs/libavutil-1.so', '/opencv/decord.libs/libavutil-2.so',
        '/usr/lib/libavutil.so.57'
    ]
    assert decoder_log('decord') == '/opencv/decord.libs/libavutil-2.so'
    assert decoder_log('') == '/usr/lib/libavutil.so.57'
    assert decoder_log('opencv') is None


def test_copy_of_pyav_is_left_alone(paths: list) -> None:
    """PyAV gathers the log of its copy, which may be the system's."""
    paths += ['/usr/lib/libavutil.so.57']
    assert decoder_log('') is None


def test_system_without_a_list(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the loaded libraries are unknown, there is no log."""
    monkeypatch.setattr(module, 'LOADED', '/proc/self/no such file')
    decoder_log.cache_clear()
    assert decoder_log('decord') is None
    decoder_log.cache_clear()
