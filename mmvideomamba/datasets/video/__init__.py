"""Readers of video files, and their errors."""
from .choice import (READERS, check_reader, open_video, reader_in_use,
                     reader_version, try_reader)
from .errors import (HungMediaError, MediaError, MissingMediaError,
                     UnsupportedVideoError)
from .reader import VideoReader

__all__ = [
    'HungMediaError', 'MediaError', 'MissingMediaError', 'READERS',
    'UnsupportedVideoError', 'VideoReader', 'check_reader', 'open_video',
    'reader_in_use', 'reader_version', 'try_reader'
]
