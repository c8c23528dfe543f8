"""Streams and pictures of PyAV: the choice of a stream, the right way up."""
from typing import Any, Iterator, Set

import numpy as np
from av.stream import Disposition

from .errors import MediaError


def rotate(picture: np.ndarray, matrix: np.ndarray, path: str) -> np.ndarray:
    """Rotate and mirror a picture as its display matrix asks.

    Args:
        picture (np.ndarray): Shape (h, w, 3).
        matrix (np.ndarray): Display matrix of FFmpeg, 9 integers, int32.
        path (str): The file, for the error.

    Returns:
        np.ndarray: Shape (h, w, 3) or (w, h, 3).

    Raises:
        MediaError: If the angle is not a multiple of 90 degrees.
    """
    rows = matrix.astype(float).reshape(3, 3)[:2, :2]
    scale = np.hypot(*rows)
    # FFmpeg finds no angle in a matrix without scale either.
    if not scale.all():
        return picture
    angle = round(np.degrees(np.arctan2(*(rows[0] / scale)[::-1]))) % 360
    mirrored = np.linalg.det(rows) < 0
    if angle not in (0, 90, 180, 270):
        raise MediaError(
            path, f'asks to be shown turned by {angle} degrees; '
            'only quarter turns are known')
    if angle in (90, 270):
        picture = picture.swapaxes(0, 1)
    flips = {
        (0, False): (1, 1),
        (0, True): (-1, 1),
        (90, False): (1, -1),
        (90, True): (1, 1),
        (180, False): (-1, -1),
        (180, True): (1, -1),
        (270, False): (-1, 1),
        (270, True): (-1, -1),
    }
    down, right = flips[angle, bool(mirrored)]
    # torch takes no array with negative strides.
    return np.ascontiguousarray(picture[::down, ::right])


def reason_of(error: Exception) -> str:
    """Return the words of an error of the library.

    Args:
        error (Exception): The error.

    Returns:
        str: In lower case.
    """
    return str(getattr(error, 'strerror', None) or error).lower()


def best_stream(container: Any, path: str) -> Any:
    """Return the video stream that the program ffmpeg takes.

    The largest picture wins, a default stream first; a cover picture is
    taken where nothing else is there.

    Args:
        container (av.container.InputContainer): The open file.
        path (str): The file, for the error.

    Returns:
        av.video.stream.VideoStream: The stream.

    Raises:
        MediaError: If there is no stream of a known codec.
    """

    # The numbers of ffmpeg's automatic choice of a video stream.
    def score(stream: Any) -> int:
        if stream.disposition & Disposition.attached_pic:
            return 1
        default = bool(stream.disposition & Disposition.default)
        return stream.width * stream.height + 5000000 * default

    # PyAV makes no codec context for an unknown codec.
    known = [s for s in container.streams.video if s.codec_context]
    if not container.streams.video:
        raise MediaError(
            path, 'has no video stream, it holds only '
            f'{_kinds(container)}')
    if not known:
        raise MediaError(
            path, 'has a video stream of a codec that FFmpeg does not know')
    return max(known, key=score)


def formats_of(container: Any) -> Set[str]:
    """Return the names of the format of a file.

    Args:
        container (av.container.InputContainer): The open file.

    Returns:
        set[str]: For example 'mov', 'mp4' and others of the family.
    """
    return set(container.format.name.split(','))


def packets_of(container: Any, streams: Any) -> Iterator[Any]:
    """Yield the packets of streams, up to the end of the file.

    A further stream may begin amid the packets of .ts and .flv files, by
    damage or by intent. PyAV has no object for such a stream, and can fail
    at flushing it, after the last packet of all. PyAV also frees nothing of
    a ``demux`` that is left early, unless closed as ``yield from`` does.

    Args:
        container (av.container.InputContainer): The open file.
        streams (av.stream.Stream | list[av.stream.Stream]): Of the file.

    Yields:
        av.Packet: In the order of the file.
    """
    try:
        yield from container.demux(streams)
    except IndexError:
        return


def _kinds(container: Any) -> str:
    return ' and '.join(sorted({s.type for s in container.streams})) or 'data'
