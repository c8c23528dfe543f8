"""Readers of video files, and the policy for bad media."""
from .errors import (HungMediaError, MediaError, MissingMediaError,
                     UnsupportedVideoError)

__all__ = [
    'HungMediaError', 'MediaError', 'MissingMediaError',
    'UnsupportedVideoError'
]
