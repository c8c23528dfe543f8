"""The reader is chosen by name, or the first that works here."""
import os
from pathlib import Path

import pytest

from mmvideomamba.datasets.video import (MediaError, UnsupportedVideoError,
                                         choice, open_video)
from mmvideomamba.datasets.video.choice import READERS, ReaderInfo
from mmvideomamba.datasets.video.pyav_reader import PyAVReader
from mmvideomamba.datasets.video.sample_clip import SAMPLE_CLIP


@pytest.fixture(autouse=True)
def fresh_choice():
    choice.usable_readers.cache_clear()
    yield
    choice.usable_readers.cache_clear()
    choice.reader_class.cache_clear()


def test_unknown_reader() -> None:
    with pytest.raises(ValueError, match="'auto' or one of .*'ffms2'"):
        open_video(SAMPLE_CLIP, 'ffms2')


def test_missing_reader_names_what_to_install(monkeypatch) -> None:
    info = READERS['torchcodec']._replace(package='no_such_package')
    monkeypatch.setitem(READERS, 'torchcodec', info)
    choice.reader_class.cache_clear()
    with pytest.raises(ImportError, match='pip install "torchcodec<0.18", or'):
        open_video(SAMPLE_CLIP, 'torchcodec')


class Refusing(PyAVReader):
    """A reader refusing every file but the sample clip."""

    def __init__(self, source, path, num_threads=1):
        super().__init__(source, path, num_threads)
        if path != 'sample clip':
            raise UnsupportedVideoError(path, 'has open groups of pictures')


@pytest.fixture
def refusing(monkeypatch):
    """Put a reader first in the table, refusing each file."""
    readers = dict(
        refusing=ReaderInfo('test_choice', 'Refusing', 'av', ''), **READERS)
    monkeypatch.setattr(choice, 'READERS', readers)
    found = choice.reader_class
    monkeypatch.setattr(
        choice, 'reader_class', lambda name: Refusing
        if name == 'refusing' else found(name))


def test_auto_tries_the_next_for_a_file(refusing, mm_log) -> None:
    with open_video(SAMPLE_CLIP) as video:
        assert video.name == 'pyav' and len(video) == 4
        assert type(video) is PyAVReader
    assert choice.usable_readers()[0] == 'refusing'


def test_named_reader_never_falls_back(refusing) -> None:
    with pytest.raises(UnsupportedVideoError, match='clip has open groups'):
        open_video(SAMPLE_CLIP, 'refusing', path='clip')


def test_no_reader_works(monkeypatch) -> None:
    monkeypatch.setattr(choice, 'try_reader', lambda name: f'no {name}')
    with pytest.raises(ImportError, match='pyav: no pyav\n  torchcodec: no'):
        choice.reader_in_use()


@pytest.mark.parametrize('name', READERS)
def test_trial(name: str) -> None:
    """A reader works here, or says why not."""
    reason = choice.try_reader(name)
    assert not reason or 'cannot be used' in reason
    assert choice.reader_version('pyav').startswith('pyav 1')


def test_only_regular_files_are_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / 'a.mp4')
    (tmp_path / 'link.mp4').symlink_to('a.mp4')
    for path in (tmp_path / 'a.mp4', tmp_path / 'link.mp4', tmp_path,
                 Path('/dev/zero')):
        for source in (str(path), path):
            with pytest.raises(
                    MediaError,
                    match=f'{path} is not a regular file. Replace it by'):
                open_video(source)
    with pytest.raises(FileNotFoundError, match='a.mp4/b.mp4 does not exist'):
        open_video(str(tmp_path / 'a.mp4/b.mp4'))
    with pytest.raises(MediaError, match='cannot be opened .*null'):
        open_video('a\0.mp4')


def test_list_of_other_files_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / 'a.mp4').write_bytes(SAMPLE_CLIP)
    texts = {
        'a.m3u8': '#EXTM3U\n#EXTINF:1,\nhttp://localhost/a.ts\n',
        'a.ffconcat': 'ffconcat version 1.0\nfile a.mp4\n',
        'b.mp4': 'ffconcat version 1.0\nfile a.mp4\n'
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
        with pytest.raises(MediaError, match=f'{name} is '):
            open_video(str(tmp_path / name), 'pyav')


def test_sources(tmp_path: Path) -> None:
    path = tmp_path / 'a.mp4'
    path.write_bytes(SAMPLE_CLIP)
    for source in (path, str(path), SAMPLE_CLIP):
        with open_video(source) as video:
            assert len(video) == 4
    with pytest.raises(TypeError, match='a path or .* of type NoneType'):
        open_video(None)  # type: ignore[arg-type]
