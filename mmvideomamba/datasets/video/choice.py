"""The choice among the readers of videos."""
import functools
import importlib
import os
import stat
from importlib.metadata import packages_distributions, version
from typing import Dict, List, NamedTuple, Optional, Union

from mmengine.logging import print_log

from mmvideomamba.extras import MissingExtraError, install_command
from .errors import (NO_FILE_REMEDY, MediaError, MissingMediaError,
                     UnsupportedVideoError)
from .reader import Source, VideoReader
from .sample_clip import SAMPLE_CLIP, SAMPLE_FRAMES


class ReaderInfo(NamedTuple):
    """Where a reader is found.

    Args:
        module (str): Module of the class, in this room.
        cls (str): Name of the class.
        package (str): Name of the package to import.
        extra (str): The extra that holds the package, '' for a requirement
            of the package itself.
    """
    module: str
    cls: str
    package: str
    extra: str


# The order of 'auto', the fastest first, as measured by
# benchmarks/video_readers.py.
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
        MissingExtraError: If the package of the reader is not installed or
            cannot be loaded; the message names the remedy.
    """
    info = READERS[check_reader(name)]
    try:
        importlib.import_module(info.package)
        module = importlib.import_module(f'{__package__}.{info.module}')
    # A package whose shared libraries are missing fails with OSError or
    # RuntimeError, not with ImportError.
    except (ImportError, OSError, RuntimeError) as error:
        reason = str(error).strip().split('\n', maxsplit=1)[0]
        remedy = f'{install_command(info.extra)}, or ' if info.extra else ''
        raise MissingExtraError(
            f'reader {name!r} cannot be used here: {reason}; {remedy}'
            "reader='auto' takes another") from error
    return getattr(module, info.cls)


def reader_version(name: str) -> str:
    """Return name and version of a reader.

    Args:
        name (str): A key of ``READERS``.

    Returns:
        str: For example 'pyav 18.1.0', from the imported package.
    """
    package = READERS[name].package
    # A fork like eva-decord has the module name of the original.
    found = packages_distributions().get(package, [package])[0]
    label = '' if found in (name, package) else f' ({found})'
    module = importlib.import_module(package)
    number = getattr(module, '__version__', None)
    if number is None or label:
        number = version(found)
    return f'{name} {number}{label}'


def try_reader(name: str) -> str:
    """Try whether a reader decodes a small clip here.

    Args:
        name (str): A key of ``READERS``.

    Returns:
        str: '' if the reader works, else the reason why not.
    """
    try:
        # An import alone proves little: a library may lack a decoder, or load
        # FFmpeg at the first file only.
        with reader_class(name)(SAMPLE_CLIP, 'sample clip') as video:
            found = video.get_frames(range(len(video))).shape[0]
    except (ImportError, MediaError) as error:
        return str(error)
    if found != SAMPLE_FRAMES:
        return f'it finds {found} frames in a clip of {SAMPLE_FRAMES}'
    return ''


@functools.lru_cache(maxsize=None)
def usable_readers() -> List[str]:
    """Find the readers working here, once in a process.

    Returns:
        list[str]: Names, the fastest first.

    Raises:
        MissingExtraError: If no reader works.
    """
    reasons: Dict[str, str] = {}
    for name in READERS:
        reason = try_reader(name)
        if not reason:
            print_log(f"reader='auto' of videos is {reader_version(name)}",
                      'current')
            # The later readers are not tried here: a later reader is imported
            # only for a file of a kind that the first reader refuses.
            return [name, *(n for n in READERS if n not in (name, *reasons))]
        reasons[name] = reason
    lines = [f'  {name}: {reason}' for name, reason in reasons.items()]
    raise MissingExtraError('\n'.join(
        ['no reader of videos works here:', *lines]))


def reader_in_use() -> str:
    """Return the choice of ``reader='auto'`` here.

    Returns:
        str: Name and version, for example 'pyav 18.1.0'.
    """
    return reader_version(usable_readers()[0])


def check_file(path: str) -> None:
    """Refuse all but a regular file with content.

    A device, a socket or a pipe would let a reader wait for ever.

    Args:
        path (str): The file.

    Raises:
        MissingMediaError: If the file does not exist.
        MediaError: If the path is not a regular file or is empty.
    """
    try:
        status = os.stat(path)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise MissingMediaError(path) from error
    # A name with a null byte is a ValueError.
    except (OSError, ValueError) as error:
        raise MediaError(path, f'cannot be opened ({error})') from error
    if not stat.S_ISREG(status.st_mode):
        raise MediaError(path, 'is not a regular file', NO_FILE_REMEDY)
    if status.st_size == 0:
        raise MediaError(path, 'is empty (0 bytes)')
    if not os.access(path, os.R_OK):
        raise MediaError(path, 'may not be read (permission denied)')


def open_video(source: Union[Source, 'os.PathLike[str]'],
               reader: str = 'auto',
               num_threads: int = 1,
               path: Optional[str] = None) -> VideoReader:
    """Open a video.

    Args:
        source (str | os.PathLike | bytes): Path of a local file, or the
            content of a file.
        reader (str): A key of ``READERS``, for no other; 'auto' for the
            fastest working here, and each of the others for a file of an
            unsupported kind. Defaults to 'auto'.
        num_threads (int): Threads of the decoder. Defaults to 1.
        path (str, optional): Name of the file in messages. Defaults to None,
            ``source`` if a path.

    Returns:
        VideoReader: The open video.

    Raises:
        TypeError: If ``source`` is neither a path nor bytes.
        ValueError: If ``reader`` is unknown.
        ImportError: If ``reader`` is not installed.
        MissingMediaError: If the file does not exist.
        MediaError: If the file is not a video, damaged, cut off or of a kind
            unknown to the reader.
    """
    check_reader(reader)
    # Taken for bytes, a path object would pass check_file by, and a pipe would
    # let the reader wait for ever.
    if isinstance(source, os.PathLike):
        source = os.fspath(source)
    if not isinstance(source, (str, bytes)):
        raise TypeError('source must be a path or the bytes of a file, but '
                        f'is of type {type(source).__name__}')
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
    # Damage is no reason for another reader: libraries hide damage behind
    # made-up pictures.
    except UnsupportedVideoError as error:
        for name in others:
            try:
                return reader_class(name)(source, path, num_threads)
            except (ImportError, MediaError):
                continue
        raise error
