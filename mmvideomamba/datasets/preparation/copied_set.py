"""A set of videos copied in parallel: names of copies, resuming."""
import functools
import os
from collections import Counter, defaultdict
from contextlib import closing
from pathlib import Path
from typing import (Callable, Dict, List, NamedTuple, Optional, Sequence, Set,
                    Tuple, Union)

from mmvideomamba.atomic_file import draft_of
from mmvideomamba.datasets.annotation_faults import fault_list
from mmvideomamba.datasets.video import MediaError
from .copy_record import CopyEntry, CopyRecord
from .disk_errors import disk_errors
from .media_list import MediaList
from .video_copy import CopySettings, VideoCopy, copy_video
from .worker_pool import WorkerFault, run_tasks, show_progress

VIDEOS = 'videos'  # folder of the copies
Task = Tuple[str, Path]  # original and copy


class CopyOutcome(NamedTuple):
    """The end of a run.

    Args:
        made (int): Copies made by the run.
        current (int): Copies of an earlier run, with unchanged originals.
        bad (dict[str, MediaError]): Originals without a copy.
    """
    made: int
    current: int
    bad: Dict[str, MediaError]


def name_copies(lists: Sequence[MediaList]) -> Dict[str, str]:
    """Name the copies of all videos of lists.

    A copy has the path of its original below the folder of the paths, with
    the ending .mp4. Of originals with the same path up to the ending, all but
    the .mp4 file keep the old ending in front: ``a.avi.mp4``.

    Args:
        lists (Sequence[MediaList]): The lists. Folders of their paths may
            differ; names begin at the folder around all of them.

    Returns:
        dict[str, str]: Path of an original to the name of the copy, with
        forward slashes; a video of several lists once.

    Raises:
        ValueError: If a video lies outside, is not a video file, or two copies
            would have the same name.
    """
    root = os.path.commonpath([os.path.abspath(m.root) for m in lists])
    found: Dict[str, str] = {}
    faults = []
    for media in lists:
        for entry in media.entries:
            path = os.path.relpath(os.path.abspath(entry.file), root)
            where = f'{media.path} line {entry.line}: {entry.path}'
            if '://' in entry.file or entry.media != 'video':
                faults.append(f'{where} is not a video file on this machine')
            elif path == os.pardir or path.startswith(os.pardir + os.sep):
                faults.append(f'{where} lies outside of {root}')
            else:
                found[entry.file] = path.replace(os.sep, '/')
    if faults:
        raise ValueError(
            fault_list(
                f'{len(faults)} lines name something that cannot be copied',
                faults, 'Pass as --root a folder around all videos, or '
                'correct the lists.'))
    return _unique(found)


def _unique(paths: Dict[str, str]) -> Dict[str, str]:
    """Give the ending .mp4, and keep apart paths of different endings."""
    groups: Dict[str, Set[str]] = defaultdict(set)
    for path in paths.values():
        groups[os.path.splitext(path)[0] + '.mp4'].add(path)
    names = {
        path:
        path if path == name else (name if len(group) == 1 else f'{path}.mp4')
        for name, group in groups.items()
        for path in group
    }
    twice = [n for n, count in Counter(names.values()).items() if count > 1]
    if twice:
        same = sorted(p for p, name in names.items() if name == twice[0])
        raise ValueError(f'the copies of {" and ".join(same)} would both be '
                         f'{twice[0]}; rename the originals')
    return {file: names[path] for file, path in paths.items()}


def _copy(task: Task, alive: Callable[[], None],
          settings: CopySettings) -> Union[VideoCopy, MediaError]:
    """Copy a video in a worker; a bad video is a result."""
    source, target = task
    parent = os.getppid()

    def step() -> None:
        if os.getppid() != parent:
            # The run was killed, and a new run may work on the same copy.
            os._exit(1)
        alive()

    try:
        with disk_errors(target):
            target.parent.mkdir(parents=True, exist_ok=True)
        return copy_video(source, target, settings, step)
    except MediaError as error:
        return error


def copy_set(names: Dict[str, str],
             folder: Path,
             record: CopyRecord,
             settings: CopySettings,
             workers: int = 1,
             time_limit: Optional[float] = None,
             bad_media: str = 'raise',
             bar: bool = True) -> CopyOutcome:
    """Copy the videos without a current copy, in parallel.

    Args:
        names (dict[str, str]): From ``name_copies``.
        folder (Path): Of the set; the copies go to ``videos`` below it.
        record (CopyRecord): Of the folder.
        settings (CopySettings): How to copy.
        workers (int): Processes. Defaults to 1.
        time_limit (float, optional): Seconds without a sign of life, after
            which a decoder counts as hung. Defaults to None, no limit.
        bad_media (str): 'raise' or 'report'. Defaults to 'raise'.
        bar (bool): Whether to show a progress bar. Defaults to True.

    Returns:
        CopyOutcome: The end.

    Raises:
        MediaError: By 'raise', for the first bad video.
        ValueError: If the record has another original for a copy, or an
            original lies in the folder itself.
        DiskError: If a copy cannot be written.
    """
    # Read ahead of the copies: an original changed meanwhile differs from the
    # record, and the next run makes a new copy.
    facts = {source: _source_facts(source) for source in names}
    tasks: List[Task] = []
    # Lists may spell the path of a video in several ways.
    firsts: Dict[str, str] = {}
    for source, name in names.items():
        _check_source(source, name, folder, record, facts[source])
        if firsts.setdefault(name, source) != source:
            continue
        target = folder / VIDEOS / name
        if not record.is_current(target, name, *facts[source]):
            tasks.append((source, target))
    bad: Dict[str, MediaError] = {}
    function = functools.partial(_copy, settings=settings)
    results = run_tasks(function, tasks, workers, time_limit)
    shown = show_progress(results, len(tasks) if bar else 0)
    waiting = {target for _, target in tasks}
    try:
        with closing(results), closing(shown):  # ends the workers
            for position, result in shown:
                source, target = tasks[position]
                if isinstance(result, WorkerFault):
                    result = MediaError(source, str(result))
                if isinstance(result, MediaError):
                    bad[source] = result
                    if bad_media == 'raise':
                        raise result
                    continue
                waiting.discard(target)
                record.add(
                    _entry(names[source], source, facts[source], result))
    finally:
        for target in waiting:  # drafts of killed workers
            draft_of(target).unlink(missing_ok=True)
    made, current = len(tasks) - len(bad), len(firsts) - len(tasks)
    # The fault of the first spelling of a path holds for all spellings.
    bad = {s: bad[firsts[n]] for s, n in names.items() if firsts[n] in bad}
    return CopyOutcome(made, current, bad)


def _source_facts(path: str) -> Tuple[int, int]:
    """Return bytes of an original and the time of the last change in ns."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        # An unreadable original has no current copy; the attempt of a copy
        # names the fault.
        return -1, -1
    return status.st_size, status.st_mtime_ns


def _entry(name: str, source: str, facts: Tuple[int, int],
           copy: VideoCopy) -> CopyEntry:
    """Build the line of the record."""
    return CopyEntry(name, os.path.abspath(source), *facts, copy.size,
                     copy.frames, copy.audio, copy.times)


def _check_source(source: str, name: str, folder: Path, record: CopyRecord,
                  facts: Tuple[int, int]) -> None:
    """Refuse an original among the copies, or a second for a copy."""
    path = Path(os.path.realpath(source))
    if Path(os.path.realpath(folder)) in path.parents:
        raise ValueError(f'{source} lies in --out {folder}; pass another '
                         'folder for the copies')
    known = record.entries.get(name)
    if known is None or known.source == os.path.abspath(source):
        return
    # An original of equal size and time was moved, and keeps the copy.
    if (known.size, known.mtime) != facts:
        raise ValueError(
            f'{name} in {folder} is the copy of {known.source}, and would be '
            f'that of {source} too. Pass another --out, or --redo if the '
            'originals were moved.')
