"""Complaints of the FFmpeg inside a library."""
import atexit
import ctypes
import functools
import os
import threading
from typing import Any, List, Optional

# Loaded libraries of this process; only Linux has the list.
LOADED = '/proc/self/maps'
# Of FFmpeg's libavutil/log.h; a lower number is a worse fault.
AV_LOG_ERROR = 16
# The last argument is a va_list of C, taken as a pointer and never read.
CALLBACK = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int,
                            ctypes.c_char_p, ctypes.c_void_p)


class DecoderLog:
    """Counter of the errors that a copy of FFmpeg reports.

    Decoders hide damage behind pictures made up from others; the only trace
    is a line in the log. The lines of a library stop to go to stderr.

    Lines are counted inside a ``with`` block. Elsewhere no line reaches
    Python: a thread of a decoder with a line waits for Python's lock, and
    code with the lock may wait for the thread to end, such as the end of an
    unreleased ``cv2.VideoCapture``.

    Args:
        util (ctypes.CDLL): libavutil of the library.

    Attributes:
        errors (int): Lines of level error and above so far.
    """

    def __init__(self, util: ctypes.CDLL) -> None:
        self.errors = 0
        # The attribute keeps the callback alive: ctypes frees a callback
        # without a reference, and FFmpeg would call freed memory.
        self._util, self._callback = util, CALLBACK(self._note)
        self._lock, self._blocks = threading.Lock(), 0
        util.av_log_set_callback(None)
        # No line may reach Python while Python ends.
        atexit.register(util.av_log_set_callback, util.av_log_default_callback)

    def __enter__(self) -> 'DecoderLog':
        with self._lock:
            # Readers of several threads share the copy of FFmpeg: the last
            # reader to leave switches the callback off.
            self._blocks += 1
            if self._blocks == 1:
                self._util.av_log_set_callback(self._callback)
        return self

    def __exit__(self, *_: Any) -> None:
        with self._lock:
            self._blocks -= 1
            if not self._blocks:
                self._util.av_log_set_callback(None)

    def _note(self, source: Any, level: int, text: bytes, values: Any) -> None:
        # Bits above the lowest 8 are colours; negative levels say nothing.
        if 0 <= level & 0xff <= AV_LOG_ERROR and level >= 0:
            self.errors += 1


@functools.lru_cache(maxsize=None)
def decoder_log(bundle: str) -> Optional[DecoderLog]:
    """Return the log of the FFmpeg that a library uses.

    Args:
        bundle (str): Part of the name of the folder of libavutil in the
            wheel of the library, such as 'decord'; '' for a library with the
            FFmpeg of the system.

    Returns:
        DecoderLog: The log, None where the copy cannot be told from others.
        The copy of PyAV stays untouched; PyAV gathers the log.
    """
    found = _copies_of_libavutil()
    # Unless PyAV brings a separate copy, the system's copy may be PyAV's, and
    # DecoderLog would take the log away from PyAV.
    if 'av.libs' not in map(_bundle_of, found):
        return None
    if bundle:
        found = [p for p in found if bundle in _bundle_of(p)]
    else:
        found = [p for p in found if not _bundle_of(p)]
    return DecoderLog(ctypes.CDLL(found[0])) if len(found) == 1 else None


def _bundle_of(path: str) -> str:
    """Return the folder of a copy inside a wheel, else ''."""
    folder = os.path.basename(os.path.dirname(path))
    return folder if folder.endswith('.libs') else ''


def _copies_of_libavutil() -> List[str]:
    """Return the paths of the loaded copies, where the system lists them."""
    try:
        with open(LOADED) as lines:
            # The path is the sixth column and may hold spaces.
            paths = {line.split(maxsplit=5)[-1].strip() for line in lines}
    except OSError:
        return []
    return sorted(p for p in paths if 'libavutil' in p)
