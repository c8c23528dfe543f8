"""The audio of a video packet by packet, next to the encoded pictures."""
import os
from fractions import Fraction
from typing import Any, Iterator, Optional

import av

from mmvideomamba.datasets.video.pyav_open import OPEN_OPTIONS
from mmvideomamba.datasets.video.pyav_stream import packets_of


class AudioError(Exception):
    """The audio is damaged, or not taken by the container of the copy."""


class CopiedAudio:
    """Audio streams of a video.

    Args:
        path (str): The video, which a reader has opened before.

    Attributes:
        streams (list[av.audio.stream.AudioStream]): May be empty.
    """

    def __init__(self, path: str) -> None:
        # A name like 1:30.mp4 looks like a URL.
        self._source = av.open(
            'file:' + os.path.abspath(path), options=OPEN_OPTIONS)
        self.streams = list(self._source.streams.audio)
        self._start = Fraction(0)
        self._target: Any = None
        self._next: Optional[Any] = None

    def __enter__(self) -> 'CopiedAudio':
        return self

    def __exit__(self, *error: object) -> None:
        self._source.close()

    def begin(self, target: Any, start: Fraction) -> None:
        """Add the streams to a container, and write the header.

        Args:
            target (av.container.OutputContainer): The container.
            start (Fraction): When the first frame of the original is shown,
                in seconds.

        Raises:
            AudioError: If the container does not take the streams.
        """
        self._start, self._target = start, target
        try:
            made = {
                s.index: target.add_stream_from_template(s)
                for s in self.streams
            }
            target.start_encoding()
        except (av.FFmpegError, ValueError) as error:
            raise AudioError from error
        self._packets = self._read(made)
        self._step()

    def _read(self, made: dict) -> Iterator[Any]:
        """Yield the packets, in the time of the copy."""
        for packet in packets_of(self._source, self.streams):
            if packet.pts is None or packet.dts is None or not packet.size:
                continue
            stream = packet.stream
            # Frame 0 of the copy is shown at 0 s, and the audio moves along.
            shift = round(self._start / stream.time_base)
            packet.pts -= shift
            packet.dts -= shift
            if min(packet.pts, packet.dts) < 0:
                continue  # earlier than the first frame
            packet.stream = made[stream.index]
            yield packet

    def _step(self) -> None:
        """Read the next packet."""
        try:
            self._next = next(self._packets, None)
        except (av.FFmpegError, EOFError) as error:
            raise AudioError from error

    def put_until(self, time: Optional[Fraction]) -> None:
        """Write the packets up to a time.

        Args:
            time (Fraction, optional): In seconds, of the copy; None for all
                that are left.

        Raises:
            AudioError: If the container does not take a packet.
        """
        while self._next is not None:
            if time is not None and (self._next.dts * self._next.time_base
                                     > time):
                return
            try:
                self._target.mux(self._next)
            except (av.FFmpegError, ValueError) as error:
                raise AudioError from error
            self._step()
