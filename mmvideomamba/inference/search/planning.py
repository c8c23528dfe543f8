"""Work of an index for given videos, and the room needed."""
import os
import shutil
from pathlib import Path
from typing import (Any, Dict, Iterable, List, NamedTuple, Optional, Sequence,
                    Tuple)

from mmvideomamba.datasets.video import open_video
from ..inputs import input_name
from ..predictor.input_lists import expand_inputs
from ..video_text.windows import cut_video
from .exact_search import BLOCK_BYTES
from .records import Stamp, VideoRecord, digest_of, stamp_of
from .settings import Settings

# Of more videos, the windows are estimated from so many.
SAMPLE = 64
MISSING = 'does not exist'
NO_FILE = ('is a folder without videos; an index takes files of videos, as '
           'frames have no seconds')


class Place(NamedTuple):
    """A given video file.

    Args:
        root (str): Indexed folder, absolute.
        name (str): Path from the folder on.
        stamp (Stamp): Of the file.
    """
    root: str
    name: str
    stamp: Stamp

    @property
    def path(self) -> str:
        """Absolute path of the file."""
        return os.path.join(self.root, self.name)


class Plan(NamedTuple):
    """Work of an index.

    Args:
        new (list[Place]): Videos to read.
        changed (list[Place]): Videos to read again.
        moved (list[tuple[VideoRecord, Place]]): Videos under a new path.
        same (list[VideoRecord]): Videos up to date.
        failed (list[VideoRecord]): Videos unreadable before, and
            unchanged.
        removed (list[VideoRecord]): Videos gone from the given
            folders.
        errors (list[str]): Inputs other than video files.
        windows (int): Estimate for the videos to read.
        longest (int): Windows of the longest video to read.
        estimated (bool): Whether windows come from durations, which
            containers state roughly, and of many videos from a sample.
        disk (int): Bytes to write.
        memory (int): Bytes for the longest video during indexing, besides
            model and frames.
        query_memory (int): Bytes of a query, besides the model.
        free (int): Bytes free on the disk.
    """
    new: List[Place]
    changed: List[Place]
    moved: List[Tuple[VideoRecord, Place]]
    same: List[VideoRecord]
    failed: List[VideoRecord]
    removed: List[VideoRecord]
    errors: List[str]
    windows: int = 0
    longest: int = 0
    estimated: bool = False
    disk: int = 0
    memory: int = 0
    query_memory: int = 0
    free: int = 0

    @property
    def todo(self) -> List[Place]:
        """Videos to read."""
        return self.new + self.changed

    @property
    def total(self) -> int:
        """Number of the inputs."""
        return (len(self.todo) + len(self.moved) + len(self.same) +
                len(self.failed) + len(self.errors))

    def to_text(self) -> str:
        """Write the plan for people.

        Returns:
            str: Two lines.
        """
        counts: Dict[str, Sequence[Any]] = dict(
            new=self.new,
            changed=self.changed,
            moved=self.moved,
            removed=self.removed)
        parts = [f'{len(found)} {name}' for name, found in counts.items()]
        parts.append(f'{len(self.same)} up to date')
        if self.failed:
            parts.append(f'{len(self.failed)} unreadable before and unchanged')
        lines = ['videos: ' + ', '.join(parts)]
        if self.todo:
            about = 'about ' if self.estimated else ''
            lines.append(
                f'{about}{self.windows} windows: {about}{size(self.disk)} on '
                f'the disk ({size(self.free)} free); memory besides the '
                f'model: {about}{size(self.memory)} for the longest video, '
                f'{size(self.query_memory)} for a query')
        return '\n'.join(lines) + '\n'


def size(count: float) -> str:
    """Write a number of bytes for people.

    Args:
        count (float): Bytes.

    Returns:
        str: Such as '1.5 GiB'.
    """
    units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB']
    while count >= 1024 and len(units) > 1:
        count /= 1024
        units.pop(0)
    return f'{count:.0f} {units[0]}' if units[0] == 'bytes' else (
        f'{count:.1f} {units[0]}')


def list_places(inputs: Any) -> Tuple[List[Place], List[str], List[str]]:
    """List the files named by the words of a user.

    Args:
        inputs (Any): See ``expand_inputs``: files, folders, lists.

    Returns:
        tuple[list[Place], list[str], list[str]]: Files, each once; folders,
        absolute; and paths without a file.

    Raises:
        FileNotFoundError: If a list does not exist.
        ValueError: If a folder or list holds nothing.
    """
    several = isinstance(inputs, (list, tuple))
    places: Dict[str, Place] = {}
    folders: List[str] = []
    wrong: List[str] = []
    for item in inputs if several else [inputs]:
        folder = ''
        if isinstance(item, (str, os.PathLike)) and os.path.isdir(item):
            folder = os.path.abspath(item)
            folders.append(folder)
        for found in expand_inputs([item]):
            path = os.path.abspath(input_name(found))
            stamp = stamp_of(path) if os.path.isfile(path) else None
            if stamp is None:
                wrong.append(path)
            elif path not in places:
                root = folder or os.path.dirname(path)
                places[path] = Place(root, os.path.relpath(path, root), stamp)
    return list(places.values()), folders, wrong


def fault_of(path: str) -> str:
    """Say why a path is not a video.

    Args:
        path (str): Without a file.

    Returns:
        str: To follow the path.
    """
    return NO_FILE if os.path.isdir(path) else MISSING


def _moved(gone: Iterable[VideoRecord],
           new: Sequence[Place]) -> List[Tuple[VideoRecord, Place]]:
    """Pair records without a file with files without a record."""
    waiting: Dict[Tuple[Stamp, str], List[VideoRecord]] = {}
    for record in gone:
        waiting.setdefault((record.stamp, record.digest), []).append(record)
    stamps = {stamp for stamp, _ in waiting}
    pairs = []
    for place in new:
        # Only a possibly moved file is opened.
        if place.stamp in stamps:
            records = waiting.get((place.stamp, digest_of(place.path)))
            # Unreadable files all have the digest ''.
            if records and records[0].digest:
                pairs.append((records.pop(), place))
    return pairs


def _inside(path: str, folders: Sequence[str]) -> bool:
    """Tell whether a path lies in any of some folders."""
    return any(path.startswith(os.path.join(folder, '')) for folder in folders)


def make_plan(records: Dict[str, VideoRecord],
              inputs: Any,
              retry: bool = False) -> Plan:
    """Compare the given videos with the videos of an index.

    Args:
        records (dict[str, VideoRecord]): Of the index, by path.
        inputs (Any): See ``list_places``.
        retry (bool): Read unreadable videos again. Defaults to False.

    Returns:
        Plan: Without sizes.
    """
    places, folders, wrong = list_places(inputs)
    new: List[Place] = []
    changed: List[Place] = []
    same: List[VideoRecord] = []
    failed: List[VideoRecord] = []
    for place in places:
        record = records.get(place.path)
        if record is None:
            new.append(place)
        elif record.stamp != place.stamp or (record.error and retry):
            changed.append(place)
        else:
            (failed if record.error else same).append(record)
    given = {place.path for place in places}
    gone = [
        record for path, record in records.items()
        if path not in given and not os.path.exists(path)
    ]
    moved = _moved(gone, new)
    old = {record.path for record, _ in moved}
    taken = {place.path for _, place in moved}
    return Plan(
        new=[place for place in new if place.path not in taken],
        changed=changed,
        moved=moved,
        same=same,
        failed=failed,
        # Videos outside of the given folders stay, as a call may name a part
        # of the indexed files.
        removed=[
            record for record in gone if record.path not in old and (
                _inside(record.path, folders) or record.path in wrong)
        ],
        errors=[f'{path} {fault_of(path)}' for path in wrong])


def duration_of(path: str) -> Optional[float]:
    """Return the duration of a video.

    Args:
        path (str): The file.

    Returns:
        float, optional: Seconds; None if the file cannot be read.
    """
    try:
        with open_video(path) as reader:
            return len(reader) / reader.avg_fps
    except (OSError, ValueError, RuntimeError, ZeroDivisionError):
        return None


def _count_windows(places: Sequence[Place],
                   settings: Settings) -> Tuple[int, int]:
    """Return the windows of videos: all, and of the longest video.

    More than ``SAMPLE`` videos are estimated by their bytes.
    """
    if settings.window is None:
        return len(places), min(len(places), 1)
    step = max(1, len(places) // SAMPLE)
    looked_at = places[::step][:SAMPLE]
    # The largest file is most often the longest video.
    largest = max(places, key=lambda place: place.stamp.size)
    counts = {}
    for place in {*looked_at, largest}:
        duration = duration_of(place.path)
        if duration is not None:
            counts[place] = len(
                cut_video(duration, settings.window, settings.stride))
    if not counts:
        return 0, 0
    if len(places) <= SAMPLE:
        return sum(counts.values()), max(counts.values())
    sample = [place for place in looked_at if place in counts]
    sample_bytes = sum(place.stamp.size for place in sample) or 1
    rate = sum(counts[place] for place in sample) / sample_bytes
    total = rate * sum(place.stamp.size for place in places)
    # A video has a window at least.
    return max(len(places), round(total)), max(counts.values())


def add_sizes(plan: Plan, settings: Settings, rows: int, folder: Path) -> Plan:
    """Add the sizes to a plan.

    Args:
        plan (Plan): The plan.
        settings (Settings): Of the index.
        rows (int): Windows of the index so far.
        folder (Path): The index.

    Returns:
        Plan: With sizes.
    """
    todo = plan.todo
    windows, longest = _count_windows(todo, settings) if todo else (0, 0)
    # float32 during the indexing, whatever the precision on the disk.
    vectors = settings.embed_dim * 4
    return plan._replace(
        windows=windows,
        longest=longest,
        estimated=settings.window is not None,
        # A line of the journal takes about 300 bytes.
        disk=windows * settings.window_bytes + 300 * len(todo),
        # 16 bytes are start and end of a window.
        memory=longest * (vectors + 16 + settings.token_bytes),
        # A block, its scores, and a flag and a number for each window.
        query_memory=3 * BLOCK_BYTES + 9 * (rows + windows),
        free=shutil.disk_usage(folder).free)
