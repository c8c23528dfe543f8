"""Lists of a copied set: the same lines with the paths of the copies."""
import os
import shutil
from pathlib import Path
from typing import Any, Dict, List, Sequence

from mmvideomamba.datasets.annotation_faults import fault_list
from mmvideomamba.datasets.video import MediaError
from .check_report import MENDED, describe_fault
from .copied_set import VIDEOS
from .copied_shards import SHARDS
from .copy_record import NAME
from .disk_errors import disk_errors
from .media_list import Fault, MediaList, write_list

CLASSES = 'classes.txt'
REPORT = 'report.json'


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


def list_paths(lists: Sequence[MediaList], folder: Path) -> List[Path]:
    """Name the new lists.

    Args:
        lists (Sequence[MediaList]): The lists.
        folder (Path): Of the set.

    Returns:
        list[Path]: A file per list, placed to each other as before.

    Raises:
        ValueError: If a list would lie among the copies or shards, or stand
            where the tool writes another file.
    """
    parents = [os.path.dirname(os.path.abspath(m.path)) for m in lists]
    # Lists of the same name in several folders must not overwrite each other.
    top = os.path.commonpath(parents)
    paths = [
        folder / os.path.relpath(os.path.abspath(m.path), top) for m in lists
    ]
    for media, path in zip(lists, paths):
        if {folder / VIDEOS, folder / SHARDS} & set(path.parents):
            raise ValueError(f'{media.path} would be written among the '
                             f'copies as {path}; move the list')
        if path in (folder / REPORT, folder / NAME, path.parent / CLASSES):
            raise ValueError(f'{media.path} has the name of another file of '
                             'a copied set; rename the list')
    return paths


def list_starts(lists: Sequence[MediaList], paths: Sequence[Path],
                folder: Path) -> List[Path]:
    """Find where the paths of new lists begin.

    Paths begin in the folder of a list, at ``videos/``; or inside of
    ``videos``, if the paths of the original begin in a folder of this name
    next to the list. So ``data_root`` is all that changes in a config.

    Args:
        lists (Sequence[MediaList]): The lists.
        paths (Sequence[Path]): From ``list_paths``.
        folder (Path): Of the set.

    Returns:
        list[Path]: A folder for each list.
    """
    beside = [
        os.path.join(os.path.dirname(media.path), VIDEOS) for media in lists
    ]
    inside = [
        os.path.realpath(media.root) == os.path.realpath(place)
        for media, place in zip(lists, beside)
    ]
    return [
        folder / VIDEOS if within else path.parent
        for within, path in zip(inside, paths)
    ]


def write_lists(lists: Sequence[MediaList], paths: Sequence[Path],
                names: Dict[str, str], bad: Dict[str, MediaError],
                folder: Path) -> List[str]:
    """Write the lists with the paths of the copies, see ``list_starts``.

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
    starts = list_starts(lists, paths, folder)
    for media, path, start in zip(lists, paths, starts):
        left_out = {e.line for e in media.entries if e.file in bad}
        if media.clean.keys() <= left_out:
            raise ValueError(f'{path} was not written: no video of '
                             f'{media.path} can be used')
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
    """Copy the names of the classes, where they lie next to a list."""
    classes = Path(media.path).parent / CLASSES
    if classes.is_file():
        shutil.copyfile(classes, path.parent / CLASSES)
