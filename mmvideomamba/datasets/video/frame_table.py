"""Tables of the packets of a video, and of the frames in the packets."""
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Dict, List, Optional, Tuple

import numpy as np

from .errors import MediaError
from .pyav_stream import formats_of, packets_of

# Containers whose packets carry presentation times.
TIMED = {'mov', 'matroska', 'mpegts', 'flv'}
# Containers whose demuxers pass over damaged parts.
LOSSY = {'mpegts', 'flv'}
MANY = 8  # steps between frames that make a gap stand out
# Containers without: a frame is shown in the order of the packets if the
# codec has no B frames.
UNTIMED = {'avi', 'asf'}
# A packet of MPEG-4 below this size, in bytes, holds no picture of its own.
LEAST_SIZE = 16
# From this many packets on, the index of an .mp4 file is taken instead of
# reading all of the file.
LONG = 2000
# Packets of a file are kept up to this many bytes, so that the file is read
# once.
KEEP_PACKETS = 8 << 20
# Side data with which later packets are decoded in another way.
CHANGES = {'new_extradata', 'param_change', 'palette'}
HIDDEN_VP8 = 0x10  # bit of the first byte of a packet that shows a frame


@dataclass
class FrameTable:
    """Packets of a video stream, in the order of the file.

    Args:
        keys (np.ndarray): Whether a decoder can start at a packet, shape
            (p, ), bool.
        dts (np.ndarray): Decoding times, shape (p, ), int64, in units of the
            stream.
        pts (np.ndarray): Presentation times, shape (p, ), int64; not filled
            in where ``order`` is None.
        order (np.ndarray, optional): Packet of each frame in the order of
            presentation, shape (n, ), int64. None for a long .mp4 file, for
            which parts of the table are read as needed.
        sequential (str): Why only decoding from the start gives the right
            frames; '' if frames can be sought. Defaults to ''.
        announces_end (bool): Whether the container tells where the file
            should end. Defaults to True.
        packets (list[av.Packet], optional): Content of the packets, None
            if too large to keep. Defaults to None.
    """
    keys: np.ndarray
    dts: np.ndarray
    pts: np.ndarray
    order: Optional[np.ndarray]
    sequential: str = ''
    announces_end: bool = True
    packets: Optional[List[Any]] = None
    ranks: np.ndarray = field(init=False)
    starts: np.ndarray = field(init=False)
    times: np.ndarray = field(init=False)
    places: Dict[int, int] = field(init=False)

    def __post_init__(self) -> None:
        if self.order is not None:
            self.ranks = np.full(len(self.keys), -1, np.int64)
            self.ranks[self.order] = np.arange(len(self.order))
            self.times = self.pts[self.order]
            self.places = {t: i for i, t in enumerate(self.times.tolist())}
            self.starts = self._find_starts()

    def __len__(self) -> int:
        """Return the number of frames."""
        return len(self.keys if self.order is None else self.order)

    def place(self, pts: int) -> int:
        """Find a frame by time.

        Args:
            pts (int): When the frame is shown.

        Returns:
            int: Number of the frame, -1 if there is none.
        """
        return self.places.get(pts, -1)

    def find(self, pts: Optional[int], dts: Optional[int]) -> int:
        """Find a packet by time.

        Args:
            pts (int, optional): When it is shown.
            dts (int, optional): When it is decoded.

        Returns:
            int: Number of the packet, -1 if there is none.
        """
        times, wanted = ((self.dts, dts) if self.order is None else
                         (self.pts, pts))
        if wanted is None:
            return -1
        place = np.flatnonzero(times == wanted)
        return int(place[0]) if len(place) == 1 else -1

    def holds(self, packet: int, pts: Optional[int],
              dts: Optional[int]) -> bool:
        """Tell whether a packet has these times.

        Args:
            packet (int): Number of the packet.
            pts (int, optional): When it is shown.
            dts (int, optional): When it is decoded.

        Returns:
            bool: Whether the table says the same. Compared is ``pts``, as
            the library makes ``dts`` up for some containers, or ``dts`` for
            a long file.
        """
        if packet >= len(self.keys):
            return False
        if self.order is None:
            return dts == self.dts[packet]
        return pts == self.pts[packet]

    def _find_starts(self) -> np.ndarray:
        """Find the key packet to decode each packet from, -1 for none.

        The frames of an open group of pictures come after the key packet and
        are shown before it: decoding starts at the key packet before.
        """
        numbers = np.arange(len(self.keys))
        last = np.maximum.accumulate(np.where(self.keys, numbers, -1))
        before = np.append(-1, last[:-1])  # last key packet ahead of each
        starts = last.copy()
        while True:
            # Open groups can follow one another: the key packet before may be
            # shown too late as well.
            late = (starts >= 0) & (self.pts[starts] > self.pts)
            if not late.any():
                return starts
            starts[late] = before[starts[late]]


class _Packets:
    """Times, flags and sizes of the packets of a stream."""

    def __init__(self) -> None:
        self.rows: List[Tuple[Any, Any, bool, bool, int]] = []
        self.total = 0  # packets without content are counted
        self.end = 0  # of the last frame
        self.indexed = 0  # packets that an index names
        self.kept: Optional[List[Any]] = None  # see FrameTable.packets

    def read(self, container: Any, stream: Any, path: str) -> None:
        """Read all packets of a stream."""
        self.indexed = len(stream.index_entries)
        vp8 = stream.codec_context.name == 'vp8'
        rows, kept = self.rows, []  # type: Any, List[Any]
        held, ends = 0, [0]
        for packet in packets_of(container, stream):
            size, pts, dts = packet.size, packet.pts, packet.dts
            if dts is None and not size:
                continue  # ends the stream
            self.total += 1
            if packet.is_corrupt:
                raise MediaError(
                    path, f'is damaged or cut off: packet '
                    f'{self.total - 1} is not whole')
            if not size:
                continue  # repeats the frame before
            # Decoded, but never shown: packets ahead of the start of an edit
            # list, and the alternate reference pictures of VP8.
            hidden = packet.is_discard or (
                vp8 and not memoryview(packet)[0] & HIDDEN_VP8)
            rows.append((pts, dts, packet.is_keyframe, hidden, size))
            if pts is not None:
                ends.append(pts + (packet.duration or 0))
            held += size
            if held <= KEEP_PACKETS:
                kept.append(packet)
        self.end = max(ends)
        if len(kept) == len(rows) and not any(map(_changes, kept)):
            self.kept = kept


def _changes(packet: Any) -> bool:
    """Tell whether a packet changes how later packets are decoded."""
    for side in packet.iter_sidedata():
        if side.data_type in CHANGES:
            return True
    return False


def read_table(container: Any, stream: Any, path: str) -> FrameTable:
    """Read the table of a stream.

    Args:
        container (av.container.InputContainer): The open file, at the start.
        stream (av.video.stream.VideoStream): The stream.
        path (str): The file, for errors.

    Returns:
        FrameTable: The table.

    Raises:
        MediaError: If the file ends before its header announces.
    """
    family = formats_of(container)
    if 'mov' in family:
        table = _from_index(container, stream, path)
        if table is not None:
            return table
    packets = _Packets()
    packets.read(container, stream, path)
    if not packets.rows:
        raise MediaError(path, 'holds no frame')
    announced = _check_end(container, stream, path, packets, family)
    table = _from_packets(packets, family, stream)
    table.announces_end = announced
    if not table.sequential:
        table.packets = packets.kept
    if family & LOSSY and not table.sequential:
        check_gaps(path, table.times, stream.time_base)
    return table


def _check_cut(path: str, size: int, announced: int) -> None:
    if announced > size:
        raise MediaError(
            path, f'is cut off: {size} bytes are left of the {announced} '
            'that its header announces')


def _from_index(container: Any, stream: Any,
                path: str) -> Optional[FrameTable]:
    """Check the index of an .mp4 file; for a long file, take it as table."""
    entries = list(stream.index_entries)
    if not entries:
        return None
    if container.size > 0:
        _check_cut(path, container.size, max(e.pos + e.size for e in entries))
    dts = np.array([e.timestamp for e in entries], np.int64)
    keys = np.array([e.is_keyframe for e in entries], bool)
    whole = stream.frames in (0, len(entries)) and keys[0]
    plain = whole and (np.diff(dts) > 0).all() and not any(e.is_discard
                                                           for e in entries)
    if len(entries) < LONG or not plain or _has_palette(stream):
        return None
    # Frames in another order than their packets need true key packets.
    if keys.all() and stream.codec_context.has_b_frames:
        return None
    # The index of a long fragmented file can hold the first fragments alone,
    # and the video would seem shorter.
    if _goes_on(container, stream, dts):
        return None
    # The reader fills in the times part by part, around the frames asked for:
    # to read all packets of a long file takes too long.
    return FrameTable(keys, dts, np.zeros_like(dts), None)


def _has_palette(stream: Any) -> bool:
    """Tell whether pixels are numbers of colours of a palette.

    The demuxers of .avi and .mov pass a palette on once, and not again
    after a seek.
    """
    return stream.codec_context.pix_fmt == 'pal8'


def _goes_on(container: Any, stream: Any, dts: np.ndarray) -> bool:
    """Tell whether packets follow those of the index, as in fragments."""
    container.seek(int(dts[-1]), stream=stream)
    packets = packets_of(container, stream)
    late = any(p.size and p.dts > dts[-1] for p in packets)
    container.seek(int(dts[0]), stream=stream)
    return late


def _check_end(container: Any, stream: Any, path: str, packets: _Packets,
               family: set) -> bool:
    """Raise MediaError if packets are missing at the end.

    Args:
        container (InputContainer): The open file.
        stream (VideoStream): Stream of the pictures.
        path (str): The file, for messages.
        packets (_Packets): Packets of the stream.
        family (set[str]): Names of the container's format.

    Returns:
        bool: Whether the container tells where the file should end.

    Raises:
        MediaError: If packets are missing at the end.
    """
    if family & {'mov', 'avi'}:
        # An .avi file may hold fewer packets than frames: the packets are
        # compared with the count of the header for .mp4 alone.
        announced = packets.indexed
        if 'mov' in family:
            announced = max(announced, stream.frames)
        if packets.total < announced:
            raise MediaError(
                path, f'is cut off or damaged: {packets.total} frames are '
                f'left of the {announced} that its header announces')
        # The library shortens the duration of an .avi file without an end.
        if 'avi' in family and (stream.duration or 0) < stream.frames:
            raise MediaError(
                path, f'is cut off: about {stream.duration} frames are left '
                f'of the {stream.frames} that its header announces')
        return max(announced, stream.frames) > 0
    if family & {'matroska', 'flv', 'asf'} and container.duration:
        announced = container.duration / 1e6
        end = float(packets.end * stream.time_base)
        # FLV counts the delay of the encoder in.
        rate = stream.average_rate or stream.guessed_rate or 25
        slack = max(0.2, 4 / float(rate))
        # The announced duration is that of the longest stream, often the
        # sound.
        if end < announced - slack and not _other_stream_ends(
                container, stream, announced - slack):
            raise MediaError(
                path, f'is cut off or damaged: the pictures end at {end:.2f} '
                f's of the {announced:.2f} s that its header announces')
        return True
    return False


def check_gaps(path: str, times: np.ndarray, unit: Fraction) -> None:
    """Raise MediaError if frames are missing between others.

    The demuxers of some containers pass over damaged parts without a word.
    Where nearly all frames are equally far apart, a lasting gap is a
    damaged part.

    Args:
        path (str): The file, for the error.
        times (np.ndarray): When the frames are shown, shape (n, ), int64.
        unit (Fraction): Seconds of a unit of ``times``.

    Raises:
        MediaError: If there is a gap.
    """
    steps = np.diff(times)
    if len(steps) < MANY:
        return
    step = np.median(steps)
    # Videos of a variable rate have gaps by nature, and no gap tells of
    # damage.
    if step <= 0 or (np.abs(steps - step) <= 0.3 * step).mean() < 0.9:
        return
    late = (times - times[0]) / step - np.arange(len(times))
    # A single wrong time is made up for by the next.
    before = np.maximum.accumulate(late)[:-1]
    behind = np.append(late[3:], [late[-1]] * 2)
    gaps = np.flatnonzero((steps > 1.6 * step) & (behind - before > 0.6))
    if len(gaps):
        raise MediaError(
            path, f'is damaged or cut off: frames are missing after frame '
            f'{gaps[0]}, where {float(steps[gaps[0]] * unit):.3f} s pass '
            f'instead of {float(int(step) * unit):.3f} s')


def _other_stream_ends(container: Any, stream: Any, seconds: float) -> bool:
    """Tell whether another stream goes on up to a time."""
    others = [s for s in container.streams if s is not stream]
    if not others:
        return False
    # The packets of the pictures were read up to the end of the file.
    container.seek(0)
    return any(
        packet.pts is not None and float((packet.pts +
                                          (packet.duration or 0)) *
                                         packet.time_base) >= seconds
        for packet in packets_of(container, others))


def _from_packets(packets: _Packets, family: set, stream: Any) -> FrameTable:
    """Sort the packets by time, or say why this gives no frames."""
    pts, dts, keys, hidden, sizes = zip(*packets.rows)
    shown = ~np.array(hidden, bool)
    times: Dict[str, np.ndarray] = {}
    for name, values in (('pts', pts), ('dts', dts)):
        known = np.array([v is not None for v in values])
        # _reason refuses a table with an unknown pts, so the 0 of a pts is
        # never taken for a time.
        filled = [v if v is not None else 0 for v in values]
        times[name] = np.array(filled, np.int64)
        times[name + '_known'] = known
    table = FrameTable(
        np.array(keys, bool), times['dts'], times['pts'],
        np.flatnonzero(shown)[np.argsort(times['pts'][shown], kind='stable')])
    table.sequential = _reason(table, times, shown, family, stream, min(sizes))
    return table


def _reason(table: FrameTable, times: Dict[str, np.ndarray], shown: np.ndarray,
            family: set, stream: Any, least: int) -> str:
    """Return why the packets do not tell the frames, '' where they do."""
    if not times['pts_known'].all():
        return 'packets without time stamps'
    if _has_palette(stream):
        return 'a palette that only the first packet may bring'
    if len(np.unique(table.pts[shown])) < shown.sum():
        return 'two frames with the same time stamp'
    if not table.keys[0]:
        return 'it does not begin with a key frame'
    if (table.starts[shown] < 0).any():
        return 'frames shown before the first key frame'
    if family & TIMED:
        return ''
    if family & UNTIMED:
        rising = (np.diff(table.pts) > 0).all()
        reordered = stream.codec_context.has_b_frames
        if rising and not reordered and shown.all() and (table.pts
                                                         == table.dts).all():
            return '' if least >= LEAST_SIZE else 'packets without a picture'
        return 'B frames without time stamps'
    return f'the container {"/".join(sorted(family))}'
