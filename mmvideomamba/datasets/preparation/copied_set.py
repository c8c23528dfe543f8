"""A set of videos copied in parallel: names, resuming, new lists."""
import functools
import os
import shutil
from collections import Counter, defaultdict
from contextlib import closing
from pathlib import Path
from typing import (Any, Callable, Dict, List, NamedTuple, Optional, Sequence,
                    Set, Tuple, Union)

from mmvideomamba.atomic_file import draft_of
from mmvideomamba.datasets.annotation_faults import fault_list
from mmvideomamba.datasets.video import MediaError
from .check_report import MENDED, describe_fault
from .copy_record import CopyEntry, CopyRecord
from .disk_errors import disk_errors
from .media_list import Fault, MediaList, write_list
from .video_copy import CopySettings, VideoCopy, copy_video
from .worker_pool import WorkerFault, run_tasks, show_progress

VIDEOS = 'videos'  # folder of the copies
CLASSES = 'classes.txt'
Task = Tuple[str, Path]  # original and copy


class CopyOutcome(NamedTuple):
    """The end of a run.

    Args:
        made (int): Copies made by the run.
        current (int): Copies that were there, with unchanged originals.
        bad (dict[str, MediaError]): Originals without a copy.
    """
    made: int
    current: int
    bad: Dict[str, MediaError]


def name_copies(lists: Sequence[MediaList]) -> Dict[str, str]:
    """Name the copies of all videos of lists.

    A copy has the path of its original below the folder of the paths, with
    the ending .mp4. Of several originals with the same path but for the
    ending, those of another ending than .mp4 keep it in front: ``a.avi.mp4``.

    Args:
        lists (Sequence[MediaList]): The lists. Folders of their paths may
            differ; names begin at the folder around all of them.

    Returns:
        dict[str, str]: Path of an original to the name of the copy, with
        forward slashes; a video of several lists once.

    Raises:
        ValueError: If a video lies outside, is no video file, or two copies
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
                faults.append(f'{where} is no video file on this machine')
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
    """Give the ending .mp4, and keep apart what differs by the ending."""
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


def check_lines(lists: Sequence[MediaList], bad_media: str) -> List[Fault]:
    """Find the faulty lines of lists.

    Args:
        lists (Sequence[MediaList]): The lists.
        bad_media (str): 'raise', or 'report' to leave the lines out.

    Returns:
        list[Fault]: Lines to leave out.

    Raises:
        ValueError: If a list is unusable, or lines are faulty and
            ``bad_media`` is 'raise'.
    """
    for media in lists:
        if media.form == 'folders':
            raise ValueError(f'{media.path} is a folder without lists; '
                             'tools/data/build_annotations.py writes them')
        if not media.entries:
            raise ValueError(f'{media.path} names no video')
    faults = [
        fault for media in lists for fault in media.faults
        if fault.line >= 0 and fault.kind not in MENDED
    ]
    if faults and bad_media == 'raise':
        raise ValueError(
            fault_list(
                f'{len(faults)} lines are faulty',
                [describe_fault(f) for f in faults],
                'Correct them, or pass --bad-media report to leave them out.'))
    return faults


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
    """Copy the videos that are not copied yet, in parallel.

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
    facts = {source: _source_facts(source) for source in names}
    tasks: List[Task] = []
    for source, name in names.items():
        _check_source(source, name, folder, record, facts[source])
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
    return CopyOutcome(len(tasks) - len(bad), len(names) - len(tasks), bad)


def _source_facts(path: str) -> Tuple[int, int]:
    """Return bytes of an original and the time of the last change in ns."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return -1, -1
    return status.st_size, status.st_mtime_ns


def _entry(name: str, source: str, facts: Tuple[int, int],
           copy: VideoCopy) -> CopyEntry:
    """Build the line of the record."""
    return CopyEntry(name, os.path.abspath(source), *facts, copy.size,
                     copy.frames, copy.audio, copy.times)


def _check_source(source: str, name: str, folder: Path, record: CopyRecord,
                  facts: Tuple[int, int]) -> None:
    """Refuse an original in the folder of the copies, or another one."""
    path = Path(os.path.realpath(source))
    if Path(os.path.realpath(folder)) in path.parents:
        raise ValueError(f'{source} lies in --out {folder}; pass another '
                         'folder for the copies')
    known = record.entries.get(name)
    if known is None or known.source == os.path.abspath(source):
        return
    if (known.size, known.mtime) != facts:
        raise ValueError(
            f'{name} in {folder} is the copy of {known.source}, and would be '
            f'that of {source} too. Pass another --out, or --redo if the '
            'originals were moved.')


def list_paths(lists: Sequence[MediaList], folder: Path) -> List[Path]:
    """Name the new lists.

    Args:
        lists (Sequence[MediaList]): The lists.
        folder (Path): Of the set.

    Returns:
        list[Path]: A file per list, placed to each other as before.

    Raises:
        ValueError: If a list would lie among the copies.
    """
    parents = [os.path.dirname(os.path.abspath(m.path)) for m in lists]
    top = os.path.commonpath(parents)
    paths = [
        folder / os.path.relpath(os.path.abspath(m.path), top) for m in lists
    ]
    for media, path in zip(lists, paths):
        if folder / VIDEOS in path.parents:
            raise ValueError(f'{media.path} would be written among the '
                             f'copies as {path}; move the list')
    return paths


def write_lists(lists: Sequence[MediaList], paths: Sequence[Path],
                names: Dict[str, str], bad: Dict[str, MediaError],
                folder: Path) -> List[str]:
    """Write the lists with the paths of the copies.

    Paths begin in the folder of a list, at ``videos/``; or inside of
    ``videos``, if those of the original begin in such a folder beside
    the list. So ``data_root`` is all that changes in a config.

    Args:
        lists (Sequence[MediaList]): The lists.
        paths (Sequence[Path]): From ``list_paths``.
        names (dict[str, str]): From ``name_copies``.
        bad (dict[str, MediaError]): Videos to leave out.
        folder (Path): Of the set.

    Returns:
        list[str]: A text for each list.

    Raises:
        ValueError: If nothing is left of a list.
        DiskError: If a list cannot be written.
    """
    told = []
    for media, path in zip(lists, paths):
        left_out = {e.line for e in media.entries if e.file in bad}
        if media.clean.keys() <= left_out:
            raise ValueError(f'{path} was not written: no video of '
                             f'{media.path} can be used')
        beside = os.path.join(os.path.dirname(media.path), VIDEOS)
        inside = os.path.realpath(media.root) == os.path.realpath(beside)
        start = folder / VIDEOS if inside else path.parent
        made = MediaList(str(path), media.form, delimiter=media.delimiter)
        made.clean = _new_lines(media, names, folder / VIDEOS, start)
        with disk_errors(path):
            count = write_list(made, left_out, path)
            _copy_classes(media, path)
        faulty = len(media.unreadable())
        told.append(f'{path}: {count} lines, {len(left_out) + faulty} left '
                    f'out, paths below {start}')
    return told


def _new_lines(media: MediaList, names: Dict[str, str], videos: Path,
               start: Path) -> Dict[int, Any]:
    """Put the paths of the copies into the lines of a list."""
    lines: Dict[int, Any] = dict(media.clean)
    for entry in media.entries:
        path = os.path.relpath(videos / names[entry.file], start)
        path, line = path.replace(os.sep, '/'), lines[entry.line]
        if isinstance(line, str):
            lines[entry.line] = path + line[len(entry.path):]
        else:
            lines[entry.line] = _in_caption(line, entry.path, path)
    return lines


def _in_caption(content: Dict[str, Any], old: str, new: str) -> Dict[str, Any]:
    """Replace a path in an entry of a caption file."""
    video = content['video']
    if isinstance(video, str):
        return dict(content, video=new if video == old else video)
    return dict(content, video=[new if v == old else v for v in video])


def _copy_classes(media: MediaList, path: Path) -> None:
    """Copy the names of the classes, where they lie beside a list."""
    classes = Path(media.path).parent / CLASSES
    if classes.is_file():
        shutil.copyfile(classes, path.parent / CLASSES)
