"""Pictures and playable clips of parts of videos."""
import base64
import os
from collections import OrderedDict
from pathlib import Path
from typing import Iterator, Tuple

import cv2
import numpy as np

from mmvideomamba.datasets.video import VideoReader, open_video
from mmvideomamba.datasets.video.time_limit import run_limited
from mmvideomamba.visualization.video_file import write_video

READ_SECONDS = 60.  # for the opening of a video, and for a group of frames
CLIP_SECONDS = 60.  # of a converted clip, at most
CLIP_FPS = 30.
CLIP_SIDE, FRAME_SIDE = 640, 400  # longest side in pixels, at most
_GROUP_BYTES = 64 << 20
_KEPT_PICTURES, _KEPT_READERS, _KEPT_CLIPS = 512, 3, 16


def check_readable(path: str) -> None:
    """Open a video and decode the first frame, for a limited time.

    Args:
        path (str): The file.

    Raises:
        MediaError: If the file is not a video, or lets a decoder hang.
    """

    def read() -> None:
        with open_video(path) as video:
            video.get_frames([0])

    run_limited(read, READ_SECONDS, path)


def shrink(frame: np.ndarray, side: int) -> np.ndarray:
    """Make a frame smaller.

    Args:
        frame (np.ndarray): RGB, shape (h, w, 3), uint8.
        side (int): Longest side, in pixels, at most.

    Returns:
        np.ndarray: The same frame, if small enough.
    """
    scale = side / max(frame.shape[:2])
    if scale >= 1:
        return frame
    size = tuple(
        max(2, round(scale * length)) for length in frame.shape[1::-1])
    return cv2.resize(frame, size, interpolation=cv2.INTER_AREA)


def to_jpeg(picture: np.ndarray) -> bytes:
    """Encode a picture.

    Args:
        picture (np.ndarray): RGB, shape (h, w, 3), uint8.

    Returns:
        bytes: JPEG.
    """
    good, found = cv2.imencode('.jpg', picture[..., ::-1],
                               [cv2.IMWRITE_JPEG_QUALITY, 85])
    assert good
    return found.tobytes()


def to_data_url(picture: np.ndarray) -> str:
    """Encode a picture as an address that holds the picture.

    Args:
        picture (np.ndarray): RGB, shape (h, w, 3), uint8.

    Returns:
        str: For the source of an image.
    """
    text = base64.b64encode(to_jpeg(picture)).decode()
    return f'data:image/jpeg;base64,{text}'


def _frames_at(times: np.ndarray, seconds: np.ndarray) -> np.ndarray:
    """Return the numbers of the frames on the screen at given times."""
    numbers = np.searchsorted(times, seconds + 1e-6, 'right') - 1
    return numbers.clip(0, len(times) - 1)


class FramePictures:
    """Frames of videos as small pictures, the last ones kept.

    For one thread. The last readers stay open: to open a long video takes
    longer than to read a frame.
    """

    def __init__(self) -> None:
        self._pictures: 'OrderedDict[tuple, bytes]' = OrderedDict()
        self._readers: 'OrderedDict[tuple, VideoReader]' = OrderedDict()

    def picture(self, path: str, state: os.stat_result,
                seconds: float) -> bytes:
        """Return the frame on the screen at a time.

        Args:
            path (str): The video.
            state (os.stat_result): Of the file.
            seconds (float): From the start of the video; a later time than
                the end means the last frame.

        Returns:
            bytes: JPEG.

        Raises:
            MediaError: If the video cannot be read.
        """
        # With size and time: another file under the path gets new pictures.
        file = (path, state.st_size, state.st_mtime_ns)
        key = (*file, round(1000 * seconds))
        if key not in self._pictures:
            reader = self._reader(file)

            def read() -> np.ndarray:
                number = _frames_at(reader.frame_times(), np.array([seconds]))
                return reader.get_frames(number.tolist())[0]

            frame = run_limited(read, READ_SECONDS, path)
            self._pictures[key] = to_jpeg(shrink(frame, FRAME_SIDE))
            while len(self._pictures) > _KEPT_PICTURES:
                self._pictures.popitem(last=False)
        self._pictures.move_to_end(key)
        return self._pictures[key]

    def _reader(self, file: Tuple[str, int, int]) -> VideoReader:
        """Return an open reader."""
        path = file[0]
        if file not in self._readers:
            self._readers[file] = run_limited(lambda: open_video(path),
                                              READ_SECONDS, path)
            while len(self._readers) > _KEPT_READERS:
                self._readers.popitem(last=False)[1].close()
        self._readers.move_to_end(file)
        return self._readers[file]

    def close(self) -> None:
        """Close the readers."""
        while self._readers:
            self._readers.popitem()[1].close()


def _clip_frames(reader: VideoReader, numbers: np.ndarray) -> Iterator:
    """Yield small frames, some decoded at a time."""
    group = max(1, _GROUP_BYTES // (3 * reader.width * reader.height))
    for start in range(0, len(numbers), group):
        part = numbers[start:start + group].tolist()
        frames = run_limited(lambda: reader.get_frames(part), READ_SECONDS,
                             reader.path)
        yield from (shrink(frame, CLIP_SIDE) for frame in frames)


def convert_clip(source: str, start: float, end: float, path: Path) -> None:
    """Write a part of a video as a small H.264 file, without sound.

    Args:
        source (str): The video.
        start (float): In seconds.
        end (float): In seconds; at most ``CLIP_SECONDS`` are converted.
        path (Path): The .mp4 file to write.

    Raises:
        MediaError: If the video cannot be read.
        ValueError: If the part is not in the video.
    """
    with run_limited(lambda: open_video(source), READ_SECONDS,
                     source) as reader:
        times = reader.frame_times()
        fps = min(CLIP_FPS, reader.avg_fps)
        duration = float(times[-1]) + 1 / reader.avg_fps
        last = min(end, duration, start + CLIP_SECONDS)
        if not 0 <= start < last:
            raise ValueError(
                f'{Path(source).name} lasts {duration:.3f} s, and '
                f'has no part from {start:g} s to {end:g} s; '
                'search again')
        count = max(1, round((last - start) * fps))
        numbers = _frames_at(times, start + np.arange(count) / fps)
        write_video(_clip_frames(reader, numbers), path, fps)


class ConvertedClips:
    """Parts of videos, converted for browsers and kept.

    For one thread.

    Args:
        folder (Path): For the files, the last ones are kept.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._count = folder, 0
        self._files: 'OrderedDict[tuple, Path]' = OrderedDict()

    def clip(self, path: str, state: os.stat_result, start: float,
             end: float) -> Path:
        """Convert a part of a video once.

        Args:
            path (str): The video.
            state (os.stat_result): Of the file.
            start (float): In seconds.
            end (float): In seconds.

        Returns:
            Path: An .mp4 file.

        Raises:
            ValueError: See ``convert_clip``.
        """
        key = (path, state.st_size, state.st_mtime_ns, start, end)
        if key not in self._files:
            self._count += 1
            file = self._folder / f'clip-{self._count}.mp4'
            try:
                convert_clip(path, start, end, file)
            except BaseException:
                file.unlink(missing_ok=True)
                raise
            self._files[key] = file
            while len(self._files) > _KEPT_CLIPS:
                self._files.popitem(last=False)[1].unlink(missing_ok=True)
        self._files.move_to_end(key)
        return self._files[key]
