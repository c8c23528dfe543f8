"""Decoding of all frames of a video, which finds damage anywhere."""
from typing import Callable

from .errors import MediaError
from .pyav_reader import PyAVReader
from .reader import VideoReader

STEP = 100  # frames between two signs of life


def decode_all(video: VideoReader, step: Callable[[], None]) -> None:
    """Decode every frame once, in flat memory.

    Args:
        video (VideoReader): An open video.
        step (Callable): Called from time to time.

    Raises:
        MediaError: If a frame cannot be decoded.
    """
    if isinstance(video, PyAVReader):
        _walk(video, step)
    else:
        video.decode_all(step)


def _walk(video: PyAVReader, step: Callable[[], None]) -> None:
    """Decode from the start, without seeking for each block of frames."""
    if video.table.sequential:
        return  # all frames were decoded when the file was opened
    count = 0
    with video._strict('some of its frames cannot be decoded'):
        for frame in video._walk():
            video._check_whole(frame, count)
            count += 1
            if count % STEP == 0:
                step()
    if count != len(video):
        raise MediaError(
            video.path, f'is damaged: {len(video)} frames are announced, but '
            f'{count} can be decoded')
