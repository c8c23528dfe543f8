"""A reader notices wrong frames of a library."""
import pickle
from contextlib import nullcontext
from typing import Dict, Iterator, Sequence

import pytest
from video_kinds import VideoKinds, damage, read_number

from mmvideomamba.datasets.video import (MediaError, UnsupportedVideoError,
                                         indexed_reader)
from mmvideomamba.datasets.video.indexed_reader import Fetched, IndexedReader


class Library(IndexedReader):
    """Reader with a library of wrong numbers and wrong times.

    Attributes:
        late (int): Added to the number of each frame.
        seconds_late (float): Added to the time of each frame.
        decoded (int): Frames so far.
    """

    name = 'library'
    bundle = 'library'
    faults = (RuntimeError, )
    late = 0
    seconds_late: float = 0.
    decoded = 0

    def _open(self) -> None:
        self.frames = self.truth.get_frames(range(len(self)))

    def _fetch(self, indices: Sequence[int]) -> Dict[int, Fetched]:
        self.decoded += len(indices)
        if self.late > 50:
            raise RuntimeError('[12:00:00] /src/a.cc:12: no frame')
        times = self.truth.times(indices)
        return {
            i: (self.frames[i + self.late], time + self.seconds_late)
            for i, time in zip(indices, times)
        }


class NoErrors(nullcontext):
    """Log of a library that never complains."""

    errors = 0


@pytest.fixture
def library(video_kinds: VideoKinds,
            monkeypatch: pytest.MonkeyPatch) -> Iterator[Library]:
    """Open a file with a library whose log is empty."""
    monkeypatch.setattr(indexed_reader, 'decoder_log', lambda _: NoErrors())
    path = str(video_kinds.get('h264.mp4').path)
    reader = Library(path, path)
    yield reader
    reader.close()


def test_distinct_frames_are_decoded_once(library: Library) -> None:
    """Repeated numbers cost nothing, the order is kept."""
    frames = library.get_frames([7, 3, 7, 7])
    assert [read_number(f) for f in frames] == [7, 3, 7, 7]
    assert library.decoded == 2


def test_wrong_time_is_refused(library: Library) -> None:
    """A frame with the time of another frame is refused."""
    library.seconds_late = 0.04
    with pytest.raises(UnsupportedVideoError, match='has the time 0.120 s'):
        library.get_frames([2])


def test_complaint_is_judged(library: Library,
                             monkeypatch: pytest.MonkeyPatch) -> None:
    """Frames are trusted with an empty log; else PyAV's frames decide."""
    library.late = 1
    assert read_number(library.get_frames([2])[0]) == 3  # an empty log
    monkeypatch.setattr(indexed_reader, 'decoder_log', lambda _: None)
    with pytest.raises(UnsupportedVideoError, match='frame 2 is another'):
        library.get_frames([2])
    library.late = 0
    assert read_number(library.get_frames([2])[0]) == 2


def test_decoder_without_lines_is_judged(
        video_kinds: VideoKinds, monkeypatch: pytest.MonkeyPatch) -> None:
    """The decoder of AV1 writes no line about damage."""
    monkeypatch.setattr(indexed_reader, 'decoder_log', lambda _: NoErrors())
    path = str(video_kinds.get('av1.mp4').path)
    reader = Library(path, path)
    reader.late = 1
    with pytest.raises(UnsupportedVideoError, match='frame 2 is another'):
        reader.get_frames([2])
    reader.close()


def test_error_of_the_library_is_judged(library: Library) -> None:
    """A file is not called damaged for a fault of the library."""
    library.late = 60
    with pytest.raises(UnsupportedVideoError, match='with library: no frame'):
        library.get_frames([2])


def test_damage_is_named(video_kinds: VideoKinds, tmp_path) -> None:
    """If PyAV cannot decode the frames either, the file is damaged."""
    path = str(damage(video_kinds.path('h264.mp4'), tmp_path / 'a.mp4'))
    with pytest.raises(MediaError, match='a.mp4 is damaged') as caught:
        with Library(path, path) as reader:
            reader.get_frames(range(len(reader)))
    assert not isinstance(caught.value, UnsupportedVideoError)


@pytest.mark.parametrize('name, reason', [
    ('raw.h264', 'packets without time stamps'),
    ('mpeg4_b_frames.avi', 'B frames without time stamps'),
    ('mirrored.mp4', 'a mirrored display matrix'),
])
def test_kinds_without_a_table(video_kinds: VideoKinds, name: str,
                               reason: str) -> None:
    """A file is refused if frames cannot be derived from packets."""
    path = str(video_kinds.path(name))
    with pytest.raises(UnsupportedVideoError, match=reason) as caught:
        Library(path, path)
    assert path in str(pickle.loads(pickle.dumps(caught.value)))


def test_closed(library: Library) -> None:
    """A closed reader says so; closing again does nothing."""
    library.close()
    library.close()
    with pytest.raises(ValueError, match='is closed'):
        library.get_frames([0])


def test_matrix_that_a_library_misses(video_kinds: VideoKinds) -> None:
    """A picture not turned by the library is refused at once."""

    class Straight(Library):
        """Library without support of display matrices."""

        def _open(self) -> None:
            super()._open()
            self.frames = self.frames.swapaxes(1, 2)

    path = str(video_kinds.get('turned_90.mkv').path)
    with pytest.raises(UnsupportedVideoError, match='frame 0 is another'):
        Straight(path, path)
    Library(path, path).close()
