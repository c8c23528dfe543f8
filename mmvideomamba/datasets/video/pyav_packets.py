"""Packets and frames of an open file, held to the table of the packets."""
from typing import Any, Iterator, Optional, Tuple

import numpy as np

from .errors import MediaError
from .frame_table import FrameTable
from .pyav_stream import packets_of


class TableError(Exception):
    """Packets do not hold the frames of the table."""


def moments(table: FrameTable, start: int) -> Iterator[Optional[int]]:
    """Yield times to seek to for a key packet, the best first.

    Args:
        table (FrameTable): The packets of the file.
        start (int): Number of the key packet.

    Yields:
        int | None: A time, in units of the stream; None is the start of the
        file.
    """
    if start == 0:
        yield int(table.dts[0])
    elif table.order is None:
        later = np.flatnonzero(table.keys[start + 1:])
        # The library compares with the time at which a frame is shown.
        yield int(table.dts[start + 1 + later[0]]) - 1 if len(later) else int(
            table.dts[-1])
    else:
        yield int(table.pts[start])
    yield int(table.dts[start])
    # A seek may land after the wanted packet: two earlier key packets, and at
    # last the start of the file, are tried.
    for key in np.flatnonzero(table.keys[:start])[::-1][:2]:
        yield int(table.dts[key])
    yield None


def numbered(container: Any, stream: Any, table: FrameTable,
             path: str) -> Iterator[Tuple[int, Any]]:
    """Yield numbers and packets from the place of an open file on.

    Args:
        container (av.container.InputContainer): The open file.
        stream (av.video.stream.VideoStream): The stream.
        table (FrameTable): The packets of the file.
        path (str): The file, for errors.

    Yields:
        tuple[int, av.Packet]: Number, -1 for the end of the stream, and
        packet.

    Raises:
        TableError: If the table has other packets.
        MediaError: If a packet is damaged.
    """
    number = -1
    for packet in packets_of(container, stream):
        if not packet.size:
            # An empty packet without a time ends the stream; another empty
            # packet repeats a frame and has no number.
            if packet.dts is None:
                yield -1, packet
            continue
        if packet.is_corrupt:
            raise MediaError(path,
                             'is damaged or cut off: a packet is not whole')
        if number < 0:
            number = table.find(packet.pts, packet.dts)
            if number < 0:  # the rest of an earlier packet
                continue
        else:
            number += 1
            if not table.holds(number, packet.pts, packet.dts):
                raise TableError('packets in another order')
        yield number, packet


class FrameCheck:
    """Check of the frames after a key packet against the table.

    Args:
        table (FrameTable): The packets of the file.
        start (int): Number of the key packet.
        trusted (bool): Frames may be left out; else each frame of the table
            has to come.

    Attributes:
        first (int): Time at which the frame of the key packet is shown.
    """

    def __init__(self, table: FrameTable, start: int, trusted: bool) -> None:
        self.table, self.trusted = table, trusted
        self.first = int(table.pts[start])
        # From the start of the file on, decoding is always right.
        self._doubtful = start > 0 and (table.order is None
                                        or table.ranks[start] >= 0)
        self._last: Optional[int] = None

    def __call__(self, frame: Any) -> None:
        """Check the next frame.

        Args:
            frame (av.VideoFrame): Output of the decoder.

        Raises:
            TableError: If the frame is another than the table says.
        """
        pts, last = frame.pts, self._last
        if self._doubtful and not (pts == self.first and frame.key_frame):
            raise TableError('key packets without a key frame')
        self._doubtful = False
        if pts is None:
            raise TableError('frames without time stamps')
        # A long file has no numbers by time: rising times have to do.
        known = self.table.order is not None
        place = self.table.place(pts) if known else pts
        # The reader leaves out frames without references in trusted
        # containers, so a step of more than one frame is right there.
        follows = (
            last is None or place == last + 1 or self.trusted and place > last)
        if place < 0 and known or not follows:
            raise TableError('frames in another order than their packets')
        self._last = place
