"""Reader with decord, or a fork of it under the same name."""
import io
import os
from typing import Any, Dict, Sequence

import decord
import numpy as np

from .indexed_reader import Fetched, IndexedReader

# Where the library seeks to the right frame, found by tests of many kinds of
# file: codecs and containers. The library reads other files from the start.
SOUGHT_CODECS = {'h264', 'hevc', 'vp8', 'vp9', 'prores'}
SOUGHT_CONTAINERS = {'mov', 'matroska', 'flv'}
# The same in each container, for files without B frames.
PLAIN_CODECS = {'mpeg4', 'h263', 'mjpeg'}


def _colours(frames: Any) -> np.ndarray:
    """Return frames of decord, (..., h, w, 3).

    Of some videos of less than 32 pixels width, the padding after each row
    comes as further colours.
    """
    found = frames.asnumpy()
    if found.shape[-1] != 3:
        raise RuntimeError(f'it finds {found.shape[-1]} colours')
    return found


class DecordReader(IndexedReader):
    """Reader with decord; see ``IndexedReader``.

    The library tells no time of a frame. Files with an open group of
    pictures, and kinds of file for which seeking is not known to be right,
    are read from the start.
    """

    name = 'decord'
    bundle = 'decord'
    lost_in = {'mpegts'}
    faults = (decord.DECORDError, RuntimeError, AssertionError, StopIteration)

    def _open(self) -> None:
        self._reader = self._start()
        truth = self.truth
        if len(self._reader) != len(truth):
            raise RuntimeError(f'it finds {len(self._reader)} frames instead '
                               f'of {len(truth)}')
        self._seeks = truth.codec in SOUGHT_CODECS and bool(
            truth.formats & SOUGHT_CONTAINERS)
        if truth.codec in PLAIN_CODECS:
            self._seeks = truth.in_order()

    def _start(self) -> Any:
        source: Any = self.source
        if isinstance(source, bytes):
            source = io.BytesIO(source)
        else:
            # A name like 1:30.mp4 looks like a URL.
            source = os.path.abspath(source)
        return decord.VideoReader(source, num_threads=self.num_threads)

    def _fetch(self, indices: Sequence[int]) -> Dict[int, Fetched]:
        if self._seeks and self.truth.open_groups(indices):
            self._seeks = False
        if self._seeks:
            frames = _colours(self._reader.get_batch(list(indices)))
            return {i: (f, None) for i, f in zip(indices, frames)}
        # The library miscounts frames left out with skip_frames.
        reader = self._start()
        found: Dict[int, Fetched] = {}
        for number in range(indices[-1] + 1):
            frame = reader.next()
            if number in indices:
                found[number] = _colours(frame), None
        return found

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        self._reader = None
        super().close()
