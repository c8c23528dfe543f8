"""Reader with PyAV, which brings FFmpeg along on each platform."""
from contextlib import contextmanager
from fractions import Fraction
from itertools import chain
from typing import (Any, Callable, Dict, Iterator, List, Optional, Sequence,
                    Tuple)

import av
import numpy as np

from .errors import MediaError
from .frame_table import check_gaps, read_table
from .library_log import watch
from .pyav_open import is_mp4, open_stream, tells_all
from .pyav_packets import FrameCheck, TableError, moments, numbered
from .pyav_stream import formats_of, packets_of, reason_of, rotate
from .reader import Source, VideoReader

# Codecs with an option to leave out pictures without references.
SKIPPABLE = {'h264', 'hevc', 'mpeg4', 'mpeg2video', 'mpeg1video'}
# Containers whose packets are trusted to hold a frame each.
TRUSTED = {'mov', 'matroska'}
# Decoded pictures of a file without a usable table are kept up to this many
# bytes, so that short files are decoded once.
KEEP_BYTES = 64 << 20
STEP = 100  # frames between two signs of life of decode_all


class PyAVReader(VideoReader):
    """Reader with PyAV; arguments and errors are those of ``VideoReader``.

    The numbers of the frames come from a table of the packets. Where the
    table tells the frames, the reader seeks to the nearest key frame and
    checks, packet by packet and frame by frame, the output of the decoder
    against the table; else, or if a check fails, it decodes from the start and
    counts.
    """

    name = 'pyav'

    def __init__(self,
                 source: Source,
                 path: str,
                 num_threads: int = 1) -> None:
        super().__init__(source, path, num_threads)
        self._container: Any = None
        self._quick = is_mp4(source)  # opened by what the header tells
        self._drains = True  # a decoder is emptied after the last packet
        self._kept: Optional[List[Any]] = None
        self._independent = True  # decoding can start at each key packet
        self._counted: List[int] = []  # times of frames decoded to be counted
        self._parts: Dict[int, Tuple[List[int], int, int]] = {}
        self._converter = av.video.reformatter.VideoReformatter()
        self._open()
        with self._strict('its packets cannot be read'):
            self.table = read_table(self._container, self._stream, path)
        self._count = len(self.table)
        self.announces_end = self.table.announces_end
        if self.table.sequential:
            self._count = self._count_frames()
        self.avg_fps = self._rate()

    def __len__(self) -> int:
        return self._count

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        container, self._container = getattr(self, '_container', None), None
        self._kept = None
        if hasattr(self, 'table'):
            self.table.packets = None
        if container is not None:
            container.close()

    @contextmanager
    def _strict(self, doing: str) -> Iterator[None]:
        """Turn errors and complaints of the library into a MediaError."""
        complaints: List[str] = []
        try:
            with watch() as complaints:
                yield
        except (av.FFmpegError, EOFError) as error:
            # The log says more than FFmpeg's general error for invalid data.
            words = complaints[0] if complaints else reason_of(error)
            raise MediaError(self.path,
                             f'is damaged: {doing} ({words})') from error
        if complaints:
            raise MediaError(self.path,
                             f'is damaged: {doing} ({complaints[0]})')

    def _open(self) -> None:
        """Open the file, at the start."""
        container, self._container = self._container, None
        if container is not None:
            container.close()
        if self._quick:
            container, stream = open_stream(self.source, self.path, quick=True)
            self._quick = tells_all(container, stream)
            if not self._quick:
                container.close()
        if not self._quick:
            container, stream = open_stream(self.source, self.path)
        self._container, self._stream = container, stream

    def _look_closer(self) -> None:
        """Open a file, of which the header was believed, as all others."""
        if self._quick:
            self._quick = False
            self._open()

    def _rate(self) -> float:
        """Return the average number of frames a second."""
        rate = self._stream.average_rate or self._stream.guessed_rate
        return float(rate or Fraction(25))

    def frame_times(self) -> np.ndarray:
        """Return when the frames are shown.

        Of a long .mp4 file, the packets' times of decoding stand for the
        times, up to a few frames off where the rate changes.

        Returns:
            np.ndarray: Seconds from the first frame on, (n, ), float64,
            rising; by the average rate where the file tells no times.
        """
        table = self.table
        times = np.array(self._counted, np.int64)
        if not table.sequential:
            times = table.dts if table.order is None else table.times
        if len(times) != len(self) or (np.diff(times) < 0).any():
            return super().frame_times()
        return (times - times[0]) * float(self._stream.time_base)

    # Decoding from the start.

    def _walk(self) -> Iterator[Any]:
        """Yield all frames from the start of the file."""
        # A decoder that learned from the header alone can lose frames at
        # first, see _read_by_table; a count must not depend on the header.
        self._quick = False
        self._open()
        for packet in packets_of(self._container, self._stream):
            yield from packet.decode()

    def _count_frames(self) -> int:
        """Count the frames, and keep the pictures of a short file."""
        kept: Optional[List[Any]] = []
        times: List[int] = []
        count = size = 0
        with self._strict('some of its frames cannot be decoded'):
            for frame in self._walk():
                self._check_whole(frame, count)
                count += 1
                if frame.pts is not None:
                    times.append(frame.pts)
                size += sum(plane.buffer_size for plane in frame.planes)
                if size > KEEP_BYTES:
                    kept = None
                elif kept is not None:
                    kept.append(frame)
        if not count:
            raise MediaError(self.path, 'holds no frame')
        # The demuxer of MPEG program streams passes over damage without a
        # word.
        if len(times) == count and self._container.format.name == 'mpeg':
            check_gaps(self.path, np.array(times), self._stream.time_base)
        self._kept = kept
        self._counted = times
        return count

    def _read_from_start(self, wanted: Sequence[int]) -> Dict[int, Any]:
        """Decode frames, counted from the start of the file."""
        if self._kept is not None:
            return {i: self._convert(self._kept[i], i) for i in wanted}
        found: Dict[int, Any] = {}
        targets = set(wanted)
        with self._strict('some of its frames cannot be decoded'):
            for number, frame in enumerate(self._walk()):
                if number in targets:
                    found[number] = self._convert(frame, number)
                    if len(found) == len(targets):
                        break
        return found

    def decode_all(self, step: Callable[[], None]) -> None:
        """Decode every frame once, in flat memory.

        Args:
            step (Callable): Called from time to time.

        Raises:
            MediaError: If a frame cannot be decoded.
        """
        if self.table.sequential:
            return  # the file was decoded when it was opened
        for number, _ in enumerate(self.walk(), 1):
            if number % STEP == 0:
                step()

    def walk(self) -> Iterator[Any]:
        """Yield every frame as the decoder gives it, in flat memory.

        Yields:
            av.VideoFrame: The frames in the order of presentation, neither
            converted nor rotated; to be left unchanged.

        Raises:
            MediaError: If a frame cannot be decoded, or frames are missing.
        """
        frames = iter(self._kept) if self._kept else self._walk()
        count = 0
        while True:
            # What the caller does between two frames is not watched.
            with self._strict('some of its frames cannot be decoded'):
                frame = next(frames, None)
            if frame is None:
                break
            self._check_whole(frame, count)
            count += 1
            yield frame
        if count != len(self):
            raise MediaError(
                self.path, f'is damaged: {len(self)} frames are announced, '
                f'but {count} can be decoded')

    @property
    def pixel_aspect(self) -> Optional[Fraction]:
        """Width of a stored pixel by its height, None where not told."""
        self._look_closer()
        return self._stream.sample_aspect_ratio or None

    # Decoding from key frames.

    def _read(self, indices: Sequence[int]) -> Dict[int, np.ndarray]:
        if self._container is None:
            raise ValueError(f'video {self.path} is closed')
        if not self.table.sequential:
            try:
                return self._read_by_table(indices)
            except TableError as error:
                # A table with a wrong entry is trusted for no other frame of
                # the file.
                self.table.sequential, self.table.packets = str(error), None
                count = self._count_frames()
                if count != self._count:
                    raise MediaError(
                        self.path, f'announces {self._count} frames, but '
                        f'{count} can be decoded') from error
        return self._read_from_start(indices)

    def _read_by_table(self, indices: Sequence[int]) -> Dict[int, np.ndarray]:
        """Decode frames; open the file with a closer look if need be.

        Where a header does not tell how far frames are out of order, a
        decoder can lose frames at first.
        """
        try:
            return self._read_sought(indices)
        except TableError:
            if not self._quick:
                raise
        self._look_closer()
        return self._read_sought(indices)

    def _read_sought(self, indices: Sequence[int]) -> Dict[int, np.ndarray]:
        """Decode frames from the nearest key packets on."""
        places = self._locate(indices)
        if len({packet for _, packet in places}) < len(places):
            raise TableError('two frames in a packet')
        groups: Dict[int, Dict[int, int]] = {}
        for index, (start, packet) in zip(indices, places):
            start = start if self._independent else 0
            groups.setdefault(start, {})[packet] = index
        found: Dict[int, np.ndarray] = {}
        for start, targets in groups.items():
            numbers = sorted(targets.values())
            try:
                with self._strict(f'frames from {numbers[0]} to {numbers[-1]} '
                                  'cannot be decoded'):
                    found.update(self._read_group(start, targets))
            except MediaError:
                opened = self._container is not None  # or the file is lost
                if not start or not self._independent or not opened:
                    raise
                # A decoder may complain of pictures ahead of a key packet,
                # for example where H.264 refreshes without key frames.
                self._independent = False
                return self._read_sought(indices)
        return found

    def _read_group(self, start: int,
                    targets: Dict[int, int]) -> Dict[int, np.ndarray]:
        """Decode some frames, given by packet, that follow a key packet."""
        table = self.table
        trusted = bool(formats_of(self._container) & TRUSTED)
        skips = trusted and self._stream.codec_context.name in SKIPPABLE
        check, skipped = FrameCheck(table, start, trusted), None
        times = {int(table.pts[p]): index for p, index in targets.items()}
        found: Dict[int, np.ndarray] = {}

        def take(frames: List[Any]) -> bool:
            for frame in frames:
                check(frame)
                if frame.pts in times:
                    index = times[frame.pts]
                    found[index] = self._convert(frame, index)
            return len(found) == len(targets)

        for number, packet in self._packets_from(start):
            # The frame refers to pictures ahead of the key packet.
            if number >= 0 and packet.pts < check.first:
                continue
            context = self._stream.codec_context
            # A picture without references is needed by no other picture.
            skip = skips and number >= 0 and number not in targets
            if skip is not skipped:
                context.skip_frame = 'NONREF' if skip else 'DEFAULT'
                skipped = skip
            if take(context.decode(packet)):
                return found
            if number == max(targets) and skips and self._drains:
                # A decoder holds decoded frames back; no packet behind is
                # needed to get them.
                frames = context.decode(None)
                # The second field of a frame may be in the next packet.
                if any(frame.interlaced_frame for frame in frames):
                    self._drains = False
                    return self._read_group(start, targets)
                if take(frames):
                    return found
                break
        raise TableError('packets without a frame')

    def _packets_from(self, start: int) -> Iterator[Tuple[int, Any]]:
        """Yield numbers and packets from a key packet on.

        The packet that ends the stream has the number -1.
        """
        kept = self.table.packets
        if kept is not None:
            # The decoder still holds pictures of the last call.
            self._stream.codec_context.flush_buffers()
            yield from enumerate(kept[start:], start)
            yield -1, None
            return
        for moment in moments(self.table, start):
            if moment is None:
                self._open()
            else:
                self._container.seek(moment, stream=self._stream)
                self._stream.codec_context.flush_buffers()
            packets = numbered(self._container, self._stream, self.table,
                               self.path)
            first = next(packets, (-1, None))
            if 0 <= first[0] <= start:
                break
        else:
            raise TableError('packets that cannot be found again')
        for number, packet in chain([first], packets):
            if number >= start or number < 0:
                yield number, packet

    def _locate(self, indices: Sequence[int]) -> List[Tuple[int, int]]:
        """Find the key packet and the packet of frames."""
        table = self.table
        if table.order is None:
            # Last frame first: the times read for the last frame of a group of
            # pictures serve the earlier frames of the group.
            return [self._locate_in_part(i) for i in reversed(indices)][::-1]
        packets = table.order[list(indices)]
        return list(zip(table.starts[packets].tolist(), packets.tolist()))

    def _locate_in_part(self, index: int) -> Tuple[int, int]:
        """Find a frame in a long file; see ``FrameTable.order``.

        All packets ahead of a key packet are shown before it, and of the
        packets after it those of an open group of pictures.
        """
        table = self.table
        keys = np.flatnonzero(table.keys[:index + 1])
        for start in keys[::-1].tolist():
            numbers, early = self._times_from(start, index)
            if index >= start + early:
                return start, numbers[index - start - early]
        raise TableError('frames shown before the first key frame')

    def _times_from(self, start: int, index: int) -> Tuple[List[int], int]:
        """Read the times of the packets from a key packet to a frame.

        Args:
            start (int): Number of the key packet.
            index (int): Number of the frame.

        Returns:
            tuple[list[int], int]: Numbers of the packets that are shown no
            earlier than the key packet, in the order of presentation; the
            number of packets that are shown earlier.
        """
        table = self.table
        if start in self._parts:
            numbers, early, known = self._parts[start]
            if index <= known:
                return numbers, early
        end = start
        for number, packet in self._packets_from(start):
            if number < 0:
                end = len(table.keys)
                break
            table.pts[number], end = packet.pts, number + 1
            # No later packet can be shown before its own decoding time.
            if number > index and packet.dts >= np.sort(
                    table.pts[start:end])[index - start]:
                break
        times = table.pts[start:end]
        order = start + np.argsort(times, kind='stable')
        early = int((times < times[0]).sum())
        self._parts[start] = order[early:].tolist(), early, index
        return self._parts[start][:2]

    def key_frame(self, index: int) -> int:
        """Return the nearest key frame at or before a frame.

        Args:
            index (int): Number of a frame.

        Returns:
            int: Number of the key frame; ``index`` itself where the file
            tells no key frames.
        """
        table = self.table
        if table.sequential:
            return index
        start, _ = self._locate([index])[0]
        if table.order is not None:
            # A hidden key frame, ahead of an edit list, has no number.
            return int(table.ranks[start]) if table.ranks[start] >= 0 else 0
        return start + self._parts[start][1]

    def _check_whole(self, frame: Any, index: int) -> None:
        """Raise MediaError for a frame that the decoder knows to be bad."""
        if frame.is_corrupt:
            raise MediaError(
                self.path, f'is damaged: frame {index} cannot '
                'be decoded without faults')

    def _convert(self, frame: Any, index: int) -> np.ndarray:
        """Turn a decoded picture into an array, the right way up."""
        self._check_whole(frame, index)
        # Threads of the converter would hang in a forked process.
        picture = self._converter.reformat(
            frame, format='rgb24', interpolation='BICUBIC',
            threads=1).to_ndarray()
        matrix = frame.side_data.get('DISPLAYMATRIX')
        if matrix is None:
            return picture
        return rotate(picture, np.frombuffer(matrix, np.int32), self.path)
