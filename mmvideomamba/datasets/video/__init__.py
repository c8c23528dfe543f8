"""Readers of video files, and their errors."""
from .errors import (HungMediaError, MediaError, MissingMediaError,
                     UnsupportedVideoError)
from .reader import (READERS, VideoReader, check_reader, open_video,
                     reader_in_use, reader_version, try_reader)

__all__ = [
    'HungMediaError', 'MediaError', 'MissingMediaError', 'READERS',
    'UnsupportedVideoError', 'VideoReader', 'check_reader', 'open_video',
    'reader_in_use', 'reader_version', 'try_reader'
]
