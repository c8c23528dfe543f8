"""Media files opened and decoded, in parallel, with the faults of each."""
import functools
import hashlib
import os
import stat
import time
from typing import Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

from mmvideomamba.datasets.transforms.caption_media import ReadImage
from mmvideomamba.datasets.video import (MediaError, MissingMediaError,
                                         UnsupportedVideoError, check_reader,
                                         open_video, reader_in_use,
                                         reader_version, try_reader)
from .worker_pool import WorkerFault, run_tasks, show_progress

SAVE_SECONDS = 10.  # between two reports of an unfinished check


class FileCheck(NamedTuple):
    """The result of the check of a file.

    Args:
        kind (str): Kind of fault, '' for a usable file.
        text (str): The fault, a predicate such as 'is cut off'.
        frames (int): Number of frames, 0 if unknown.
        size (int): Bytes, -1 if unknown.
        mtime (int): Time of the last change, in nanoseconds.
        file_id (str): Device and number of the file, the same for links.
        whole (bool): Whether all frames were decoded.
        reader (str): Name and version of the reader.
        open_end (bool): Whether the container announces no length, and a
            missing end cannot be told.
        digest (str): Hash of the content, '' if not computed.
    """
    kind: str = ''
    text: str = ''
    frames: int = 0
    size: int = -1
    mtime: int = 0
    file_id: str = ''
    whole: bool = False
    reader: str = ''
    open_end: bool = False
    digest: str = ''


class CheckSettings(NamedTuple):
    """How files are checked, see ``make_settings``.

    Args:
        whole (bool): Whether to decode all frames, instead of the first and
            the last. Defaults to False.
        reader (str): Name of the video reader. Defaults to 'auto'.
        version (str): Name and version of the reader; results
            of other readers are not used again. Defaults to ''.
        workers (int): Number of processes. Defaults to 1.
        time_limit (float, optional): Seconds for a step: the opening of a
            file, or a block of frames. Defaults to 300.
    """
    whole: bool = False
    reader: str = 'auto'
    version: str = ''
    workers: int = 1
    time_limit: Optional[float] = 300.


# A path, 'video' or 'image', and an earlier result.
Task = Tuple[str, str, Optional[FileCheck]]


def make_settings(whole: bool, reader: str, workers: int,
                  time_limit: Optional[float]) -> CheckSettings:
    """Put settings together, and find the reader of the name.

    Args:
        whole (bool): See ``CheckSettings``.
        reader (str): See ``CheckSettings``.
        workers (int): See ``CheckSettings``.
        time_limit (float, optional): See ``CheckSettings``.

    Returns:
        CheckSettings: The settings.

    Raises:
        ValueError: If there is no such reader, or it does not work here.
    """
    if check_reader(reader) == 'auto':
        version = reader_in_use()
    else:
        reason = try_reader(reader)
        if reason:
            raise ValueError(f'reader {reader!r} does not work here: {reason}')
        version = reader_version(reader)
    return CheckSettings(whole, reader, version, workers, time_limit)


def decode_video(path: str, reader: str, whole: bool,
                 alive: Callable[[], None]) -> Tuple[int, bool]:
    """Decode a video.

    Args:
        path (str): The file.
        reader (str): Name of the reader.
        whole (bool): Whether to decode all frames, in blocks, instead of the
            first and the last.
        alive (Callable): Called after each block.

    Returns:
        tuple[int, bool]: Number of frames, and whether the container
        announces no length.

    Raises:
        ValueError: If the video cannot be used.
    """
    with open_video(path, reader) as video:
        alive()
        if whole:
            video.decode_all(alive)
        else:
            video.get_frames([0, len(video) - 1])
        return len(video), not video.announces_end


def check_file(task: Task, alive: Callable[[], None],
               settings: CheckSettings) -> FileCheck:
    """Look for faults of a file.

    Args:
        task (tuple): Path, 'video' or 'image', and an earlier result, used
            again if the file is unchanged.
        alive (Callable): Called after each step.
        settings (CheckSettings): How to check.

    Returns:
        FileCheck: The result.
    """
    path, media, known = task
    try:
        status = os.stat(path)
    except OSError as error:
        return FileCheck('missing', _missing_text(path, error))
    except ValueError as error:  # a zero byte in the path
        return FileCheck('missing', f'is not a path: {error}')
    facts = FileCheck(
        size=status.st_size,
        mtime=status.st_mtime_ns,
        file_id=f'{status.st_dev}:{status.st_ino}',
        whole=settings.whole,
        reader=settings.version)
    if known is not None and _is_current(known, facts):
        return known
    if not stat.S_ISREG(status.st_mode):
        return facts._replace(
            kind='no-file',
            text='is a folder, pipe or device, not a regular file')
    try:
        if media == 'image':
            ReadImage()(dict(filename=path))
            return facts._replace(frames=1)
        frames, open_end = decode_video(path, settings.reader, settings.whole,
                                        alive)
    # Ahead of ValueError: a MissingMediaError is both.
    except OSError as error:
        if isinstance(error, MissingMediaError):
            return facts._replace(kind='missing', text=error.fault)
        text = error.strerror or str(error)
        return facts._replace(kind='damaged', text=f'cannot be read: {text}')
    except ValueError as error:
        kind = ('unsupported'
                if isinstance(error, UnsupportedVideoError) else 'damaged')
        text = error.fault if isinstance(error, MediaError) else str(error)
        return facts._replace(kind=kind, text=text)
    return facts._replace(frames=frames, open_end=open_end)


def _missing_text(path: str, error: OSError) -> str:
    """Say why there is no file."""
    if os.path.islink(path) and isinstance(error, FileNotFoundError):
        return f'is a link to {os.readlink(path)}, which does not exist'
    if isinstance(error, (FileNotFoundError, NotADirectoryError)):
        return 'does not exist'
    return f'cannot be reached: {error.strerror}'


def _is_current(known: FileCheck, facts: FileCheck) -> bool:
    """Tell whether an earlier result still holds for a file."""
    # A check of all frames stands for a quick check, too.
    return (known.size == facts.size and known.mtime == facts.mtime
            and known.file_id == facts.file_id and known.reader == facts.reader
            and (known.whole or not facts.whole)
            and known.kind not in ('hung', 'crashed'))


def check_files(media: Dict[str, str],
                settings: CheckSettings,
                known: Optional[Dict[str, FileCheck]] = None,
                save: Optional[Callable[[Dict[str, FileCheck]], None]] = None,
                bar: bool = True) -> Dict[str, FileCheck]:
    """Check files in parallel.

    Args:
        media (dict[str, str]): Path to 'video' or 'image'.
        settings (CheckSettings): How to check.
        known (dict[str, FileCheck], optional): Earlier results; unchanged
            files are not decoded again. Defaults to None.
        save (Callable, optional): Gets all results so far, from time to time
            and if the check is interrupted. Defaults to None.
        bar (bool): Whether to show a progress bar. Defaults to True.

    Returns:
        dict[str, FileCheck]: Path to result, in the order of ``media``.

    Raises:
        BaseException: If the check is interrupted, after ``save``.
    """
    known = known or {}
    paths = list(media)
    tasks: List[Task] = [(p, media[p], known.get(p)) for p in paths]
    found: Dict[str, FileCheck] = {}
    function = functools.partial(check_file, settings=settings)
    try:
        _collect(function, tasks, settings, found, save, bar)
    # An interruption included: the next run goes on from the report.
    except BaseException:
        if save is not None:
            save({**{p: known[p] for p in paths if p in known}, **found})
        raise
    return {path: found[path] for path in paths}


def _collect(function: Callable, tasks: Sequence[Task],
             settings: CheckSettings, found: Dict[str, FileCheck],
             save: Optional[Callable], bar: bool) -> None:
    """Run the tasks and put the results into ``found``."""
    saved, pause = time.monotonic(), SAVE_SECONDS
    results = run_tasks(function, list(tasks), settings.workers,
                        settings.time_limit)
    for position, result in show_progress(results, len(tasks) if bar else 0):
        if isinstance(result, WorkerFault):
            result = FileCheck(
                result.kind,
                str(result),
                whole=settings.whole,
                reader=settings.version)
        found[tasks[position][0]] = result
        now = time.monotonic()
        if save is not None and now - saved > pause:
            save({t[0]: t[2] for t in tasks if t[2] is not None} | found)
            saved = time.monotonic()
            # A report of a million files takes long to write.
            pause = max(SAVE_SECONDS, 20 * (saved - now))


def hash_file(path: str, alive: Callable[[], None]) -> str:
    """Hash the content of a file.

    Args:
        path (str): The file.
        alive (Callable): Called after each block.

    Returns:
        str: Hash in hexadecimal; '' if the file cannot be read.
    """
    digest = hashlib.blake2b(digest_size=16)
    try:
        with open(path, 'rb') as file:
            for block in iter(functools.partial(file.read, 2**24), b''):
                digest.update(block)
                alive()
    except OSError:
        return ''
    return digest.hexdigest()


def add_digests(checks: Dict[str, FileCheck],
                settings: CheckSettings) -> Dict[str, FileCheck]:
    """Hash the files of the same size as another file.

    Args:
        checks (dict[str, FileCheck]): Path to result.
        settings (CheckSettings): Number of processes and time limit.

    Returns:
        dict[str, FileCheck]: The results, with ``digest`` where needed.
    """
    groups: Dict[int, Dict[str, List[str]]] = {}
    for path, check in checks.items():
        if check.size > 0 and check.kind in ('', 'damaged', 'unsupported'):
            same = groups.setdefault(check.size, {})
            same.setdefault(check.file_id, []).append(path)
    names = [
        paths for same in groups.values() if len(same) > 1
        for paths in same.values()
    ]
    found = dict(checks)
    first = [paths[0] for paths in names if not checks[paths[0]].digest]
    digests = dict(
        run_tasks(hash_file, first, settings.workers, settings.time_limit))
    for position, digest in digests.items():
        path = first[position]
        if isinstance(digest, str):
            found[path] = checks[path]._replace(digest=digest)
    for paths in names:
        for path in paths[1:]:  # links to the first
            found[path] = found[path]._replace(digest=found[paths[0]].digest)
    return found
