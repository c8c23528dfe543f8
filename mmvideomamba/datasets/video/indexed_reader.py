"""The base of readers other than PyAV, held to PyAV's table."""
import re
from abc import abstractmethod
from contextlib import nullcontext
from itertools import chain
from typing import ClassVar, Dict, List, Optional, Sequence, Set, Tuple

import av
import numpy as np
from av.codec.context import Flags

from .decoder_log import decoder_log
from .errors import MediaError, UnsupportedVideoError
from .library_log import watch
from .pyav_packets import TableError
from .pyav_reader import PyAVReader
from .pyav_stream import formats_of, packets_of
from .reader import Source, VideoReader

# Largest and mean difference of a pixel from PyAV's, of 255, by what is
# special about a file: versions of FFmpeg round colours differently, at edges
# of colours most. Pixels of all other files are the same in all readers.
PIXEL_TOLERANCES: Dict[str, Tuple[int, float]] = {
    '10-bit': (40, 1.),
    'interlaced': (16, 1.),
    'odd size': (48, 1.),
}
SAME_FRAME = max(largest for largest, _ in PIXEL_TOLERANCES.values())
# The decoders of AV1 return errors without a line in the log.
QUIET_CODECS = {'av1', 'libdav1d', 'libaom-av1'}
REMEDY = "Set reader='auto' or reader='pyav'."
Fetched = Tuple[np.ndarray, Optional[float]]


class _Truth(PyAVReader):
    """PyAV's reader, with further facts about a file.

    Attributes:
        turned (bool): Whether there is a display matrix, known once
            ``special_display`` was called.
    """

    turned = False

    @property
    def time_base(self) -> float:
        """Seconds of a unit of time of the stream."""
        return float(self._stream.time_base)

    @property
    def formats(self) -> Set[str]:
        """Names of the container."""
        return formats_of(self._container)

    @property
    def codec(self) -> str:
        """Name of the decoder."""
        return self._stream.codec_context.name

    def special_display(self) -> str:
        """Find what libraries are known to do wrong with the picture.

        Returns:
            str: The feature of the file, '' for none.
        """
        with watch():  # whether the file is whole is found out later
            self._open()
            context = self._stream.codec_context
            # Without the flag, FFmpeg rounds a crop at the left in PyAV too,
            # as in the other libraries; the width of the frame gives the
            # rounding away.
            context.flags &= ~Flags.unaligned
            packets = packets_of(self._container, self._stream)
            frame = next(
                chain.from_iterable(p.decode() for p in packets), None)
        context.flags |= Flags.unaligned
        if frame is None:
            return ''
        if frame.width != context.width:
            return 'a crop at the left that is not a multiple of 32'
        matrix = frame.side_data.get('DISPLAYMATRIX')
        if matrix is None:
            return ''
        self.turned = True
        rows = np.frombuffer(matrix, np.int32).astype(float).reshape(3, 3)
        mirrored = np.linalg.det(rows[:2, :2]) < 0
        return 'a mirrored display matrix' if mirrored else ''

    def false_keys(self) -> bool:
        """Tell whether all packets are called key packets, wrongly.

        Returns:
            bool: Whether the second frame needs the first.
        """
        codec = self._stream.codec_context.codec
        if len(self) > 1 and self.table.keys.all() and not codec.intra_only:
            # PyAV checks a key packet when a frame is read: after a failed
            # check the table is sequential.
            self.get_frames([1])
        return bool(self.table.sequential)

    def in_order(self) -> bool:
        """Tell whether all frames are shown in the order of the packets."""
        table = self.table
        return table.order is not None and bool((np.diff(table.pts) > 0).all())

    def open_groups(self, indices: Sequence[int]) -> bool:
        """Tell whether frames after a key packet are shown before it.

        Args:
            indices (Sequence[int]): Numbers of frames; of a long file, the
                groups of pictures around the frames are looked at.

        Returns:
            bool: Whether there are such frames.
        """
        table = self.table
        if table.order is None:
            # The table of a long file holds no times until a frame is located;
            # every long file would pass for a file without open groups.
            self.times(indices)
            return any(early for _, early, _ in self._parts.values())
        numbers = np.arange(len(table.keys))
        last = np.maximum.accumulate(np.where(table.keys, numbers, 0))
        return bool((table.pts < table.pts[last]).any())

    def times(self, indices: Sequence[int]) -> List[float]:
        """Return when frames are shown.

        Args:
            indices (Sequence[int]): Numbers of frames.

        Returns:
            list[float]: Seconds.

        Raises:
            UnsupportedVideoError: If the file does not tell.
        """
        try:
            with self._strict('its packets cannot be read'):
                places = self._locate(indices)
        except TableError as error:
            raise UnsupportedVideoError(
                self.path, f'does not tell when its frames are shown: {error}',
                REMEDY) from error
        packets = [packet for _, packet in places]
        return (self.table.pts[packets] * self.time_base).tolist()


class IndexedReader(VideoReader):
    """Reader with a library whose numbers of frames are not to be trusted.

    The table of the packets, read with PyAV, tells number and times of the
    frames. A file whose packets do not tell the frames is refused. Frames
    with another time than in the table are refused. Where the library raises
    an error, or FFmpeg inside reports errors, PyAV decodes the same frames
    and judges: the file is damaged, or the library cannot read the kind of
    file, or all is well.

    Arguments are those of ``VideoReader``.
    """

    bundle: ClassVar[str]  # see decoder_log
    faults: ClassVar[tuple]  # errors of the library
    lost_in: ClassVar[Set[str]] = set()  # containers with wrong seeks

    def __init__(self,
                 source: Source,
                 path: str,
                 num_threads: int = 1) -> None:
        super().__init__(source, path, num_threads)
        self._truth: Optional[_Truth] = None
        if isinstance(source, str) and not _is_unicode(source):
            # The library would crash the process.
            raise self._unsupported('a name that is not UTF-8')
        self._truth = _Truth(source, path, num_threads)
        self.avg_fps = self.truth.avg_fps
        self.announces_end = self.truth.announces_end
        if self.truth.table.sequential:
            raise self._unsupported(self.truth.table.sequential)
        for name in self.truth.formats & self.lost_in:
            raise self._unsupported(f'the container {name}')
        try:
            if self.truth.false_keys():
                raise self._unsupported('key packets without a key frame')
            special = self.truth.special_display()
            if special:
                raise self._unsupported(special)
            self._open()
            if self.truth.turned:  # libraries miss matrices of some containers
                self._judge({0: self._fetch([0])[0][0]})
        except (*self.faults, av.FFmpegError) as error:
            # A MediaError is a ValueError, and ValueError is among the faults
            # of torchcodec.
            if isinstance(error, MediaError):
                raise
            self._raise_judged([0], _first_line(error))

    def frame_times(self) -> np.ndarray:
        """Return when the frames are shown, see ``PyAVReader``."""
        return self.truth.frame_times()

    @abstractmethod
    def _open(self) -> None:
        """Open the file with the library."""

    @abstractmethod
    def _fetch(self, indices: Sequence[int]) -> Dict[int, Fetched]:
        """Decode frames with the library.

        Args:
            indices (Sequence[int]): Distinct numbers of frames, rising.

        Returns:
            dict[int, tuple]: Number to frame, RGB, (h, w, 3), uint8, and
            time at which the frame is shown, in seconds, None if the library
            does not tell.
        """

    @property
    def truth(self) -> _Truth:
        """PyAV's view of the open file."""
        if self._truth is None:
            raise ValueError(f'video {self.path} is closed')
        return self._truth

    def __len__(self) -> int:
        return len(self.truth)

    def key_frame(self, index: int) -> int:
        """Return the nearest key frame at or before a frame.

        Args:
            index (int): Number of a frame.

        Returns:
            int: Number of the key frame.
        """
        return self.truth.key_frame(index)

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        truth, self._truth = getattr(self, '_truth', None), None
        if truth is not None:
            truth.close()

    def _unsupported(self, reason: str) -> UnsupportedVideoError:
        return UnsupportedVideoError(
            self.path, f'cannot be read with {self.name}: {reason}', REMEDY)

    def _read(self, indices: Sequence[int]) -> Dict[int, np.ndarray]:
        log = decoder_log(self.bundle)
        before = log.errors if log else -1
        try:
            with log or nullcontext():
                found = self._fetch(indices)
        except self.faults as error:
            self._raise_judged(indices, _first_line(error))
        frames = {i: frame for i, (frame, _) in found.items()}
        self._check_times({i: time for i, (_, time) in found.items()})
        # Where no log can be read, a comparison with PyAV is the only way to
        # notice damage.
        if (log is None or log.errors != before
                or self.truth.codec in QUIET_CODECS):
            self._judge(frames)
        return frames

    def _check_times(self, times: Dict[int, Optional[float]]) -> None:
        """Compare the times of frames with the table."""
        told = {i: time for i, time in times.items() if time is not None}
        if not told:
            return
        unit = self.truth.time_base
        for (index, time), right in zip(told.items(),
                                        self.truth.times(list(told))):
            # Libraries give times as rounded seconds; the times of two frames
            # differ by a unit at least.
            if abs(time - right) > unit / 2:
                self._raise_judged([index],
                                   f'frame {index} has the time {time:.3f} s '
                                   f'instead of {right:.3f} s')

    def _judge(self, frames: Dict[int, np.ndarray]) -> None:
        """Compare frames with those of PyAV."""
        right = self.truth.get_frames(list(frames))
        for (index, frame), other in zip(frames.items(), right):
            # int16, as differences of uint8 would wrap around.
            if frame.shape != other.shape or np.abs(
                    frame.astype(np.int16) - other).max() > SAME_FRAME:
                raise self._unsupported(
                    f'frame {index} is another than that of PyAV')

    def _raise_judged(self, indices: Sequence[int], fault: str) -> None:
        """Raise the error of PyAV, or else say what the library cannot do."""
        # A damaged file raises here, before the library is blamed.
        self.truth.get_frames(indices)
        raise self._unsupported(fault)


def _is_unicode(text: str) -> bool:
    """Tell whether a name of the system was valid UTF-8."""
    # Python decodes bytes of a name that are not UTF-8 to lone surrogates.
    return text.isascii() or not any(0xd800 <= ord(c) < 0xe000 for c in text)


def _first_line(error: BaseException) -> str:
    """Return the first line of a message, without the place in the source."""
    text = str(error).strip().split('\n', maxsplit=1)[0]
    text = text.rsplit(' ERROR ', 1)[-1].rsplit('] ', 1)[-1]
    return re.sub(r'^\S+:\d+: ', '', text) or type(error).__name__
