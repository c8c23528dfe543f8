"""The interface of video readers, and the choice among them."""
import functools
import importlib
import os
import stat
from abc import ABC, abstractmethod
from importlib.metadata import PackageNotFoundError, version
from typing import (Any, Callable, ClassVar, Dict, List, NamedTuple, Optional,
                    Sequence, Union)

import numpy as np
from mmengine.logging import print_log

from .errors import MediaError, MissingMediaError, UnsupportedVideoError
from .sample_clip import SAMPLE_CLIP, SAMPLE_FRAMES

Source = Union[str, bytes]
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
        num_threads (int): Threads of the decoder. Defaults to 1.

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
            IndexError: If a number is below 0 or not below the length.
            MediaError: If a frame cannot be decoded.
        """
        wanted = np.asarray(indices, np.int64).reshape(-1)
        if not len(wanted):
            raise ValueError('get_frames needs at least one index')
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

    def __enter__(self) -> 'VideoReader':
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, '_process', None) in (None, os.getpid()):
            self.close()
        else:
            _INHERITED.append(dict(vars(self)))


class ReaderInfo(NamedTuple):
    """Where a reader is found.

    Args:
        module (str): Module of the class, in this room.
        cls (str): Class in it.
        package (str): What has to be importable.
        extra (str): Extra of this package that installs it; '' for none.
    """
    module: str
    cls: str
    package: str
    extra: str


# In the order in which 'auto' tries the readers, the fastest first; the
# order is measured by benchmarks/video_readers.py.
READERS: Dict[str, ReaderInfo] = {
    'pyav':
    ReaderInfo('pyav_reader', 'PyAVReader', 'av', ''),
    'torchcodec':
    ReaderInfo('torchcodec_reader', 'TorchCodecReader', 'torchcodec',
               'torchcodec'),
    'decord':
    ReaderInfo('decord_reader', 'DecordReader', 'decord', 'decord'),
    'opencv':
    ReaderInfo('opencv_reader', 'OpenCVReader', 'cv2', ''),
}


def check_reader(name: str) -> str:
    """Check the name of a reader.

    Args:
        name (str): From a config.

    Returns:
        str: The name.

    Raises:
        ValueError: If there is no reader of this name.
    """
    if name != 'auto' and name not in READERS:
        raise ValueError(f"reader must be 'auto' or one of {list(READERS)}, "
                         f'but is {name!r}')
    return name


@functools.lru_cache(maxsize=None)
def reader_class(name: str) -> type:
    """Import a reader.

    Args:
        name (str): A key of ``READERS``.

    Returns:
        type: Subclass of ``VideoReader``.

    Raises:
        ImportError: If the package of the reader is not installed or cannot
            be loaded; the message names the remedy.
    """
    info = READERS[check_reader(name)]
    try:
        importlib.import_module(info.package)
        module = importlib.import_module(f'{__package__}.{info.module}')
    except (ImportError, OSError, RuntimeError) as error:
        remedy = (f"pip install 'mmvideomamba[{info.extra}]'"
                  if info.extra else f'pip install {info.package}')
        reason = str(error).strip().split('\n', maxsplit=1)[0]
        raise ImportError(
            f'reader {name!r} cannot be used: {reason}. Install it '
            f"({remedy}), or set reader='auto'") from error
    return getattr(module, info.cls)


def reader_version(name: str) -> str:
    """Return name and version of a reader.

    Args:
        name (str): A key of ``READERS``.

    Returns:
        str: Such as 'pyav 18.1.0'; the version is that of the imported
        package.
    """
    package = READERS[name].package
    module = importlib.import_module(package)
    found = getattr(module, '__version__', None)
    if found is None:
        try:
            found = version(package)
        except PackageNotFoundError:
            found = 'of unknown version'
    return f'{name} {found}'


def try_reader(name: str) -> str:
    """Try whether a reader decodes a small clip here.

    Args:
        name (str): A key of ``READERS``.

    Returns:
        str: '' if the reader works, else the reason why not.
    """
    try:
        with reader_class(name)(SAMPLE_CLIP, 'sample clip') as video:
            found = video.get_frames(range(len(video))).shape[0]
    except (ImportError, MediaError) as error:
        return str(error)
    if found != SAMPLE_FRAMES:
        return f'it finds {found} frames in a clip of {SAMPLE_FRAMES}'
    return ''


@functools.lru_cache(maxsize=None)
def usable_readers() -> List[str]:
    """Find the readers that work here, once in a process.

    Returns:
        list[str]: Names, the fastest first.

    Raises:
        ImportError: If no reader works.
    """
    reasons: Dict[str, str] = {}
    for name in READERS:
        reason = try_reader(name)
        if not reason:
            print_log(f"reader='auto' of videos is {reader_version(name)}",
                      'current')
            return [name, *(n for n in READERS if n not in (name, *reasons))]
        reasons[name] = reason
    lines = [f'  {name}: {reason}' for name, reason in reasons.items()]
    raise ImportError('\n'.join(['no reader of videos works here:', *lines]))


def reader_in_use() -> str:
    """Return the reader that ``reader='auto'`` takes here.

    Returns:
        str: Name and version, such as 'pyav 18.1.0'.
    """
    return reader_version(usable_readers()[0])


def check_file(path: str) -> None:
    """Check that a path is a regular file with content.

    A device, a socket or a pipe would let a reader wait for ever.

    Args:
        path (str): The file.

    Raises:
        MissingMediaError: If the file does not exist.
        MediaError: If the path is no regular file or an empty one.
    """
    try:
        status = os.stat(path)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise MissingMediaError(path) from error
    except (OSError, ValueError) as error:
        raise MediaError(path, f'cannot be opened ({error})') from error
    if not stat.S_ISREG(status.st_mode):
        raise MediaError(path, 'is no regular file')
    if status.st_size == 0:
        raise MediaError(path, 'is empty (0 bytes)')
    if not os.access(path, os.R_OK):
        raise MediaError(path, 'may not be read (permission denied)')


def open_video(source: Source,
               reader: str = 'auto',
               num_threads: int = 1,
               path: Optional[str] = None) -> VideoReader:
    """Open a video.

    Args:
        source (str | bytes): Path of a local file, or the content of a file.
        reader (str): A key of ``READERS``, for no other; 'auto' for the
            fastest that works here, and for a file that it cannot read each
            of the others. Defaults to 'auto'.
        num_threads (int): Threads of the decoder. Defaults to 1.
        path (str, optional): Name of the file in messages. Defaults to None,
            ``source`` if a path.

    Returns:
        VideoReader: The open video.

    Raises:
        ValueError: If ``reader`` is unknown.
        ImportError: If ``reader`` is not installed.
        MissingMediaError: If the file does not exist.
        MediaError: If the file is no video, damaged, cut off or of a kind
            that the reader cannot read.
    """
    check_reader(reader)
    if isinstance(source, str):
        path = path or source
        check_file(source)
    else:
        path = path or 'in memory'
        if not source:
            raise MediaError(path, 'is empty (0 bytes)')
    if reader != 'auto':
        return reader_class(reader)(source, path, num_threads)
    first, *others = usable_readers()
    try:
        return reader_class(first)(source, path, num_threads)
    except UnsupportedVideoError as error:
        for name in others:
            try:
                return reader_class(name)(source, path, num_threads)
            except (ImportError, MediaError):
                continue
        raise error
