"""The interface of video readers."""
import functools
import os
from abc import ABC, abstractmethod
from typing import (Any, Callable, ClassVar, Dict, List, Optional, Sequence,
                    TypeVar, Union)

import numpy as np

from .errors import MediaError

Source = Union[str, bytes]
T = TypeVar('T', bound='VideoReader')
# Parts of readers of a parent process. A forked process lacks the threads of
# a decoder, and would wait for ever where it ended them.
_INHERITED: List[Dict[str, Any]] = []
BLOCK_BYTES = 64 << 20  # of decoded frames held at once


class VideoReader(ABC):
    """An open video: frames by number, rotated as the file asks.

    Frame i is the i-th frame of ``ffmpeg -i FILE -fps_mode passthrough``:
    presentation order, after edit lists and rotation.

    Args:
        source (str | bytes): Path of a local file, or the content of a file.
        path (str): Name of the file in messages.
        num_threads (int): Threads of the decoder; PyAV decodes in a single
            thread. Defaults to 1.

    Attributes:
        avg_fps (float): Frames per second, on average.
        announces_end (bool): Whether the container tells where the file
            should end, so that a cut is noticed. Defaults to True.
        time_limit (float, optional): Seconds that a call may take, for
            ``run_limited``. Defaults to None.

    Raises:
        MediaError: If the file is damaged, cut off or no video.
        UnsupportedVideoError: If the reader cannot give the right frames of
            a kind of file.
    """

    name: ClassVar[str]
    avg_fps: float
    announces_end: bool = True
    time_limit: Optional[float] = None

    def __init__(self,
                 source: Source,
                 path: str,
                 num_threads: int = 1) -> None:
        self.source, self.path, self.num_threads = source, path, num_threads
        self._process = os.getpid()

    @abstractmethod
    def __len__(self) -> int:
        """Return the number of frames."""

    @abstractmethod
    def _read(self, indices: Sequence[int]) -> Dict[int, np.ndarray]:
        """Decode frames.

        Args:
            indices (Sequence[int]): Distinct numbers of frames, rising.

        Returns:
            dict[int, np.ndarray]: Number to frame, RGB, (h, w, 3), uint8.
        """

    @abstractmethod
    def close(self) -> None:
        """Close the file; a second call does nothing."""

    def get_frames(self, indices: Sequence[int]) -> np.ndarray:
        """Decode frames, each distinct frame once.

        Args:
            indices (Sequence[int]): Numbers of the frames, in any order, with
                repetitions.

        Returns:
            np.ndarray: RGB, shape (n, h, w, 3), uint8, in the order of
            ``indices``.

        Raises:
            ValueError: If there is no number, or a number is not whole.
            IndexError: If a number is below 0 or not below the length.
            MediaError: If a frame cannot be decoded.
        """
        wanted = np.asarray(indices).reshape(-1)
        # A number like 1.5 would silently become frame 1.
        if not len(wanted) or wanted.dtype.kind not in 'iu':
            raise ValueError('get_frames needs at least one index, and whole '
                             f'numbers, but got {indices!r}')
        if wanted.min() < 0 or wanted.max() >= len(self):
            raise IndexError(
                f'video {self.path} has the frames 0 to {len(self) - 1}, but '
                f'frames from {wanted.min()} to {wanted.max()} are asked for')
        distinct = np.unique(wanted).tolist()
        frames = self._read(distinct)
        shapes = {frame.shape for frame in frames.values()}
        if len(shapes) > 1:
            raise MediaError(
                self.path, 'changes the size of the picture between frame '
                f'{distinct[0]} and {distinct[-1]}: '
                f'{sorted(shape[:2] for shape in shapes)} (h, w)')
        return np.stack([frames[i] for i in wanted.tolist()])

    def get_key_frames(self, indices: Sequence[int]) -> np.ndarray:
        """Decode the nearest key frame at or before each frame.

        Args:
            indices (Sequence[int]): Numbers of frames.

        Returns:
            np.ndarray: RGB, shape (n, h, w, 3), uint8.

        Raises:
            IndexError: See ``get_frames``.
            MediaError: See ``get_frames``.
        """
        return self.get_frames([self.key_frame(int(i)) for i in indices])

    def decode_all(self, step: Callable[[], None]) -> None:
        """Decode every frame, which finds damage anywhere in the file.

        Args:
            step (Callable): Called from time to time.

        Raises:
            MediaError: If a frame cannot be decoded.
        """
        block = max(1, BLOCK_BYTES // (3 * self.height * self.width))
        for start in range(0, len(self), block):
            self.get_frames(range(start, min(start + block, len(self))))
            step()

    def key_frame(self, index: int) -> int:
        """Return the nearest key frame at or before a frame.

        Args:
            index (int): Number of a frame.

        Returns:
            int: Number of the key frame; ``index`` itself where the file
            tells no key frames.
        """
        return index

    def frame_times(self) -> np.ndarray:
        """Return when the frames are shown.

        Returns:
            np.ndarray: Seconds from the first frame on, (n, ), float64,
            rising; by the average rate where the file tells no times.
        """
        return np.arange(len(self)) / self.avg_fps

    @functools.cached_property
    def size(self) -> tuple:
        """Height and width after rotation, in pixels."""
        return self.get_frames([0]).shape[1:3]

    @property
    def height(self) -> int:
        """Height after rotation, in pixels."""
        return self.size[0]

    @property
    def width(self) -> int:
        """Width after rotation, in pixels."""
        return self.size[1]

    def __enter__(self: T) -> T:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __copy__(self) -> 'VideoReader':
        # A copy would share the decoder, and the end of the copy would close
        # the original.
        raise TypeError('an open video cannot be copied, open it again')

    def __del__(self) -> None:
        if getattr(self, '_process', None) in (None, os.getpid()):
            self.close()
        else:
            _INHERITED.append(dict(vars(self)))
