"""Faults of lists in view of their files and of each other."""
import itertools
from collections import defaultdict
from typing import Dict, Iterable, List, NamedTuple, Optional, Sequence, Tuple

from .media_check import FileCheck
from .media_list import CLASS_FORMS, Entry, Fault, MediaList

MAX_NAMED = 10  # labels in a message
Place = Tuple[MediaList, Entry]


def media_faults(lists: Sequence[MediaList], checks: Dict[str, FileCheck],
                 min_frames: int) -> List[Fault]:
    """Find the entries without a usable file.

    Args:
        lists (Sequence[MediaList]): The lists.
        checks (dict[str, FileCheck]): Path of a file to the result.
        min_frames (int): Fewest frames of a usable video.

    Returns:
        list[Fault]: A fault per entry.
    """
    found = []
    for media in lists:
        for entry in media.entries:
            check = checks.get(entry.file)
            if check is None:
                found.append(
                    Fault('not-checked', 'is not a local file', media.path,
                          entry.line, entry.path))
                continue
            kind, text = check.kind, check.text
            if kind == 'missing':
                text += f' ({entry.file})'
            if not kind and entry.media == 'video':
                if check.frames < min_frames:
                    kind = 'one-frame' if check.frames == 1 else 'short'
                    text = (f'has {check.frames} frames'
                            if check.frames != 1 else 'has a single frame')
                    text += f', fewer than {min_frames}'
                elif check.open_end:
                    kind = 'open-end'
                    text = 'is of a kind that does not announce its length'
            if kind:
                found.append(
                    Fault(kind, text, media.path, entry.line, entry.path))
    return found


def label_faults(lists: Sequence[MediaList],
                 num_classes: Optional[int]) -> List[Fault]:
    """Find labels out of range, and classes without a sample.

    Args:
        lists (Sequence[MediaList]): The lists.
        num_classes (int, optional): Number of classes; None takes the
            largest label for the last class.

    Returns:
        list[Fault]: A fault per line, and per list for missing classes.
    """
    lists = [media for media in lists if media.form in CLASS_FORMS]
    found = []
    used: Dict[str, set] = {}
    for media in lists:
        labels = used.setdefault(media.path, set())
        for entry in media.entries:
            for label in entry.labels:
                if label < 0 or num_classes and label >= num_classes:
                    limit = f' to {num_classes - 1}' if num_classes else ''
                    found.append(
                        Fault('label-range',
                              f'label {label} is not in 0{limit}', media.path,
                              entry.line, entry.path))
                else:
                    labels.add(label)
    everywhere = set().union(*used.values())
    count = num_classes or int(max(everywhere, default=-1)) + 1
    if count > len(everywhere):
        # A wrong label may be in the billions.
        unused = (n for n in range(count) if n not in everywhere)
        text = _labels(
            itertools.islice(unused, MAX_NAMED), count - len(everywhere))
        found.append(
            Fault('class-gap', f'{text} without a sample in any list'))
    for path, labels in used.items():
        if everywhere - labels and labels:
            found.append(
                Fault(
                    'class-gap', f'{_labels(everywhere - labels)} without a '
                    'sample, but with samples in another list', path))
    return found


def _labels(labels: Iterable[float], count: Optional[int] = None) -> str:
    """Name some labels, the first of ``count``."""
    ordered = sorted(labels)
    count = len(ordered) if count is None else count
    more = count - MAX_NAMED
    end = f' and {more} more' if more > 0 else ''
    word = 'label' if count == 1 else 'labels'
    return f'{word} {", ".join(map(str, ordered[:MAX_NAMED]))}{end}'


class _Same(NamedTuple):
    """Entries of the same video, by file or by content."""
    places: List[Place]
    by_content: bool


def _groups(lists: Sequence[MediaList],
            checks: Dict[str, FileCheck]) -> List[_Same]:
    """Gather the entries of the same file, then of the same content."""
    by_file: Dict[str, List[Place]] = defaultdict(list)
    by_content: Dict[str, List[Place]] = defaultdict(list)
    for media in lists:
        for entry in media.entries:
            check = checks.get(entry.file)
            file_id = check.file_id if check else ''
            # Device and inode: links and other spellings of a path lead to the
            # same file.
            by_file[file_id or entry.file].append((media, entry))
            if check and check.digest:
                key = f'{check.size}:{check.digest}'
                by_content[key].append((media, entry))
    groups = [_Same(places, False) for places in by_file.values()]
    for places in by_content.values():
        files = {checks[entry.file].file_id for _, entry in places}
        if len(files) > 1:
            groups.append(_Same(places, True))
    return [group for group in groups if len(group.places) > 1]


def _comparable(first: MediaList, second: MediaList) -> bool:
    """Tell whether no video may be in both lists."""
    (word, rest), (other_word, other_rest) = first.split(), second.split()
    if first.form == 'folders' or word is None or other_word is None:
        return True
    return rest == other_rest


def _where(media: MediaList, entry: Entry) -> str:
    """Name the place of an entry."""
    if media.form == 'folders':
        return f'{media.path}: {entry.path}'
    unit = 'entry' if media.path.endswith('.json') else 'line'
    return f'{media.path} {unit} {entry.line}: {entry.path}'


def duplicate_faults(lists: Sequence[MediaList],
                     checks: Dict[str, FileCheck]) -> List[Fault]:
    """Find videos listed twice.

    Two entries are of the same video if both lead to the same file, by
    whatever path, or to files of the same content. All entries of a video
    with two labels are faulty, since any label may be wrong. Of a video in
    two splits the entry of the training is faulty; of other doubles all but
    the first. A caption file may name a video again.

    Args:
        lists (Sequence[MediaList]): The lists.
        checks (dict[str, FileCheck]): Path of a file to the result, with
            digests.

    Returns:
        list[Fault]: Faults of the entries.
    """
    found: Dict[Tuple[str, str, int, str], Fault] = {}
    for places, by_content in _groups(lists, checks):
        how = 'the same content as' if by_content else 'the same file as'
        faults = _label_conflicts(places, how) + _doubles(places, how)
        for fault in faults:
            key = (fault.kind, fault.list, fault.line, fault.path)
            found.setdefault(key, fault)
    return list(found.values())


def _doubles(places: Sequence[Place], how: str) -> List[Fault]:
    """Find the surplus entries of a video."""
    found = []
    kept: Dict[str, Place] = {}  # the first of each list
    # Lists to test with come first, so the entry of the training is the
    # surplus.
    for place in sorted(places, key=lambda p: -p[0].rank()):
        faults = (_double(place, other, how) for other in kept.values())
        fault = next(filter(None, faults), None)
        if fault:
            found.append(fault)
        else:
            kept.setdefault(place[0].path, place)
    return found


def _label_conflicts(places: Sequence[Place], how: str) -> List[Fault]:
    """Find entries of a video with different labels."""
    labelled = [p for p in places if p[1].labels]
    if len({tuple(sorted(entry.labels)) for _, entry in labelled}) < 2:
        return []
    found = []
    for media, entry in labelled:
        others = next(
            p for p in labelled if sorted(p[1].labels) != sorted(entry.labels))
        found.append(
            Fault(
                'two-labels', f'{_labels(entry.labels)}, but {how} '
                f'{_where(*others)}, {_labels(others[1].labels)}', media.path,
                entry.line, entry.path))
    return found


def _double(place: Place, kept: Place, how: str) -> Optional[Fault]:
    """Say what is wrong with an entry in view of another, if anything."""
    media, entry = place
    if media is kept[0]:
        if media.form == 'captions':
            return None
        kind = 'duplicate'
    elif _comparable(media, kept[0]):
        kind = 'in-two-splits'
    else:
        return None
    return Fault(kind, f'{how} {_where(*kept)}', media.path, entry.line,
                 entry.path)
