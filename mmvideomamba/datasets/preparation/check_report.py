"""Report of a check: for reading, for programs, and as cleaned lists."""
import json
import os
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any, Dict, List, Sequence, Set

from mmvideomamba.atomic_file import write_file
from mmvideomamba.json_file import read_json
from .media_check import CheckSettings, FileCheck
from .media_list import Fault, MediaList, write_list

MAX_SHOWN = 5  # examples of a kind of fault
VERSION = 1
KINDS = {
    'missing': 'files that do not exist',
    'no-file': 'folders, pipes or devices instead of files',
    'damaged': 'files that are damaged, or not videos',
    'unsupported': 'files that the reader cannot read rightly',
    'hung': 'files on which the decoder hung',
    'crashed': 'files on which the decoder crashed',
    'short': 'videos with too few frames',
    'one-frame': 'videos of a single frame',
    'in-two-splits': 'videos in two splits, by path or content',
    'duplicate':
    'videos that stand before in the same list, by path or content',
    'two-labels': 'videos with two labels',
    'label-range': 'labels out of range',
    'class-gap': 'classes without samples',
    'no-label': 'lines without a label',
    'label': 'labels that are not numbers of the right kind',
    'separator': 'lines with wrong separators',
    'entry': 'entries of another form',
    'blank-line': 'blank lines',
    'byte-order-mark': 'lists with a byte order mark',
    'empty-list': 'empty lists',
}
# Said without being a fault.
NOTES = {
    'open-end': 'videos that do not announce their length: nobody can tell '
    'whether the end is missing',
    'not-checked': 'URLs, which were not opened',
    'left-out': 'files in class folders that are not taken for videos',
}
# Faults mended in a cleaned list.
MENDED = ('separator', 'blank-line', 'byte-order-mark')


def describe_fault(fault: Fault) -> str:
    """Write a fault in a line.

    Args:
        fault (Fault): The fault.

    Returns:
        str: List, line, path and text.
    """
    unit = 'entry' if fault.list.endswith('.json') else 'line'
    place = f' {unit} {fault.line}' if fault.line >= 0 else ''
    parts = [f'{fault.list}{place}', f'{fault.path} {fault.text}'.strip()]
    return ': '.join(part for part in parts if part)


def summarize(faults: Sequence[Fault], max_shown: int = MAX_SHOWN) -> str:
    """Count the faults of each kind, with the first of each.

    Args:
        faults (Sequence[Fault]): Faults and notes.
        max_shown (int): Examples of a kind. Defaults to 5.

    Returns:
        str: Lines; '' for no faults.
    """
    lines = []
    for kind, title in {**KINDS, **NOTES}.items():
        found = [fault for fault in faults if fault.kind == kind]
        if not found:
            continue
        note = 'note: ' if kind in NOTES else ''
        lines.append(f'{note}{len(found)} {title} [{kind}]')
        lines += [f'  {describe_fault(f)}' for f in found[:max_shown]]
        if len(found) > max_shown:
            lines.append(f'  and {len(found) - max_shown} more')
    return '\n'.join(lines)


def only_faults(faults: Sequence[Fault]) -> List[Fault]:
    """Take the notes out."""
    return [fault for fault in faults if fault.kind not in NOTES]


def write_report(path: Path,
                 settings: CheckSettings,
                 checks: Dict[str, FileCheck],
                 lists: Sequence[MediaList] = (),
                 faults: Sequence[Fault] = (),
                 complete: bool = False) -> None:
    """Write the report as JSON; a crash leaves the earlier report.

    Args:
        path (Path): The file.
        settings (CheckSettings): How files were checked.
        checks (dict[str, FileCheck]): Results by path.
        lists (Sequence[MediaList]): The lists. Defaults to ().
        faults (Sequence[Fault]): Faults and notes. Defaults to ().
        complete (bool): Whether all files are checked. Defaults to False.
    """
    content: Dict[str, Any] = dict(
        version=VERSION,
        complete=complete,
        settings=settings._asdict(),
        lists=[
            dict(
                path=m.path,
                form=m.form,
                delimiter=m.delimiter,
                root=m.root,
                media=len(m.entries)) for m in lists
        ],
        counts=dict(Counter(f.kind for f in only_faults(faults))),
        faults=[f._asdict() for f in only_faults(faults)],
        notes=[f._asdict() for f in faults if f.kind in NOTES],
        files={
            name: check._asdict()
            for name, check in checks.items()
        })
    path.parent.mkdir(parents=True, exist_ok=True)
    write_file(path, json.dumps(content, indent=1) + '\n', fsync=False)


def read_checks(path: Path) -> Dict[str, FileCheck]:
    """Read the results of an earlier report.

    Args:
        path (Path): The report.

    Returns:
        dict[str, FileCheck]: Results by path; empty if there is no report.

    Raises:
        ValueError: If the file is something else.
    """
    if not path.exists():
        return {}
    remedy = 'remove the file, or pass another --out'
    content = read_json(path, 'report', remedy)
    try:
        if content['version'] != VERSION:
            return {}
        return {
            name: FileCheck(**check)
            for name, check in content['files'].items()
        }
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f'{path} is not a report of this tool; '
                         f'{remedy}') from error


def clean_paths(lists: Sequence[MediaList], folder: Path) -> List[Path]:
    """Name the cleaned lists.

    Args:
        lists (Sequence[MediaList]): The lists.
        folder (Path): Where to write.

    Returns:
        list[Path]: A file per list.

    Raises:
        ValueError: If there are only class folders, or a file exists.
    """
    if any(media.form == 'folders' for media in lists):
        raise ValueError('cleaned lists are written for lists only; '
                         'build_annotations.py writes lists of class folders')
    parents = [os.path.dirname(os.path.abspath(m.path)) for m in lists]
    # Lists of the same name in several folders must not overwrite each other.
    top = os.path.commonpath(parents)
    paths = [
        folder / os.path.relpath(os.path.abspath(m.path), top) for m in lists
    ]
    for path in paths:
        if path.exists() or path.is_symlink():
            raise ValueError(f'{path} exists; a cleaned list overwrites '
                             'nothing. Remove it, or pass another folder.')
    return paths


def write_clean(lists: Sequence[MediaList], faults: Sequence[Fault],
                paths: Sequence[Path]) -> List[str]:
    """Write the lists without the faulty lines.

    Args:
        lists (Sequence[MediaList]): The lists.
        faults (Sequence[Fault]): All faults.
        paths (Sequence[Path]): From ``clean_paths``.

    Returns:
        list[str]: The number of lines left out, and the classes without a
        sample.
    """
    told = []
    for media, path in zip(lists, paths):
        bad: Set[int] = {
            f.line
            for f in only_faults(faults)
            if f.list == media.path and f.line >= 0 and f.kind not in MENDED
        }
        if media.clean.keys() <= bad:
            told.append(f'{path}: not written, as no line is left')
            continue
        count = write_list(media, bad, path)
        mended = len(media.repaired - bad)
        left = len(media.clean.keys() | media.unreadable() | bad) - count
        told.append(f'{path}: {count} lines, {left} left out, '
                    f'{mended} mended')
        told += _lost(media, bad)
    told.append('The paths in them begin where they did: keep data_prefix.')
    return told


def _lost(media: MediaList, bad: Set[int]) -> List[str]:
    """Say how many samples each class lost, and warn of empty classes."""
    totals: Dict[float, int] = defaultdict(int)
    losses: Dict[float, int] = defaultdict(int)
    for entry in media.entries:
        for label in entry.labels if media.form != 'number' else ():
            totals[label] += 1
            losses[label] += entry.line in bad
    told = [
        f'  label {label}: {losses[label]} of {totals[label]} left out'
        for label in sorted(totals) if losses[label]
    ]
    gone = [
        label for label in sorted(totals) if losses[label] == totals[label]
    ]
    if gone:
        told.append(f'  WARNING: no sample is left of label '
                    f'{", ".join(map(str, gone))}')
    return told
