"""Complaints of FFmpeg about a file that PyAV reads."""
import threading
from contextlib import contextmanager
from typing import Iterator, List

import av.logging

# Warnings of demuxers that stand for lost bytes; other warnings do not.
LOSSES = ('packet mismatch', 'packet corrupt', 'continuity check failed',
          'size mismatch', 'partial file', 'truncated')
# H.264 that begins in an open group of pictures asks to forget pictures ahead
# of the start; the pictures that follow are right.
HARMLESS = {'h264: mmco: unref short failure'}
_lock = threading.Lock()
_before: List[tuple] = []  # the settings ahead of the open watches


@contextmanager
def watch() -> Iterator[List[str]]:
    """Gather the complaints of FFmpeg in this thread.

    Some decoders and demuxers hide damage behind a made-up picture or a gap,
    and mention the damage in the log alone. The decoder must run in the
    calling thread.

    Yields:
        list[str]: 'NAME: MESSAGE', with the name of a demuxer or decoder;
        filled when the context ends.
    """
    found: List[str] = []
    with _lock:
        settings = av.logging.get_level(), av.logging.get_skip_repeated()
        # Watches of other threads end in any order.
        _before.append(_before[0] if _before else settings)
        av.logging.set_level(av.logging.WARNING)
        # PyAV drops a line equal to the line before, even where the two lines
        # are about two files.
        av.logging.set_skip_repeated(False)
    try:
        with av.logging.Capture() as logs:
            try:
                yield found
            finally:
                found.extend(_complaints(logs))
    finally:
        with _lock:
            level, skip = _before.pop()
            if not _before:
                av.logging.set_skip_repeated(skip)
                av.logging.set_level(level)


def _complaints(logs: List[tuple]) -> List[str]:
    """Choose the messages that stand for damage."""
    found = []
    for level, name, message in logs:
        text = ' '.join(message.split())
        lost = level <= av.logging.WARNING and any(loss in text.lower()
                                                   for loss in LOSSES)
        complaint = f'{name}: {text}'
        if (level <= av.logging.ERROR or lost) and complaint not in HARMLESS:
            found.append(complaint)
    return found
