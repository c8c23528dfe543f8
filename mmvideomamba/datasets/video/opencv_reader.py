"""Reader with OpenCV's FFmpeg."""
import os
import tempfile
from contextlib import contextmanager
from typing import Any, Dict, Iterator, Optional, Sequence, Tuple

import cv2
import numpy as np

from .choice import check_file
from .indexed_reader import Fetched, IndexedReader


class OpenCVReader(IndexedReader):
    """Reader with OpenCV; see ``IndexedReader``.

    The library seeks by time and counts. The time of each frame is compared
    with PyAV's table; after a first difference, the file is read from the
    start.
    """

    name = 'opencv'
    bundle = 'opencv'
    faults = (cv2.error, RuntimeError)

    def _open(self) -> None:
        self._file: Any = None
        if isinstance(self.source, bytes):
            # Older versions of OpenCV open files by name alone.
            self._file = tempfile.NamedTemporaryFile(suffix='.video')
            self._file.write(self.source)
            self._file.flush()
        self._first = self.truth.times([0])[0]
        self._seeks = True

    @contextmanager
    def _start(self) -> Iterator[Any]:
        """Open the file anew.

        The release lets other threads run; the end of an object that was not
        released waits for the decoder's threads under Python's lock.
        """
        name: Any = self._file.name if self._file else self.source
        check_file(name)  # opened anew; a pipe in its place would hang
        # A name like 1:30.mp4 looks like a URL to FFmpeg: the path is
        # absolute.
        capture = cv2.VideoCapture(
            os.path.abspath(name), cv2.CAP_FFMPEG,
            [cv2.CAP_PROP_N_THREADS, self.num_threads])
        try:
            if not capture.isOpened():
                raise RuntimeError('it cannot be opened')
            yield capture
        finally:
            capture.release()

    def _fetch(self, indices: Sequence[int]) -> Dict[int, Fetched]:
        found = None
        if self._seeks:
            with self._start() as capture:
                found = self._sought(capture, indices)
        if found is None:
            self._seeks = False
            with self._start() as capture:
                found = self._from_start(capture, indices)
        return found

    def _sought(self, capture: Any,
                indices: Sequence[int]) -> Optional[Dict[int, Fetched]]:
        """Seek to frames; None if a frame has another time than expected."""
        place = 0
        found: Dict[int, Fetched] = {}
        for index, right in zip(indices, self.truth.times(indices)):
            # To seek costs more than to go on in a group of pictures.
            if self.key_frame(index) > place:
                if not capture.set(cv2.CAP_PROP_POS_FRAMES, index):
                    return None
                place = index
            if not all(capture.grab() for _ in range(place, index + 1)):
                return None
            place = index + 1
            frame, time = self._retrieve(capture)
            if abs(time - right) > self.truth.time_base / 2:
                return None
            found[index] = frame, time
        return found

    def _from_start(self, capture: Any,
                    indices: Sequence[int]) -> Dict[int, Fetched]:
        """Read frames from the start of the file."""
        place = 0
        found: Dict[int, Fetched] = {}
        for index in indices:
            for number in range(place, index + 1):
                if not capture.grab():
                    raise RuntimeError(f'frame {number} cannot be read')
            found[index], place = self._retrieve(capture), index + 1
        return found

    def _retrieve(self, capture: Any) -> Tuple[np.ndarray, float]:
        """Return the frame at which a video is, and the time."""
        okay, picture = capture.retrieve()
        if not okay:
            raise RuntimeError('a frame cannot be converted')
        # The library counts from the first frame.
        time = capture.get(cv2.CAP_PROP_POS_MSEC) / 1000 + self._first
        return np.ascontiguousarray(picture[..., ::-1]), time

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        stored, self._file = getattr(self, '_file', None), None
        if stored is not None:
            stored.close()
        super().close()
