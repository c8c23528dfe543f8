"""Counts of samples of tar shards, kept in a file from start to start."""
import errno
import fnmatch
import glob
import json
import os
import stat
import time
from array import array
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import (Any, Callable, Dict, List, NamedTuple, Optional, Sequence,
                    Tuple, Union)

from mmengine.logging import print_log

from mmvideomamba.json_file import read_json
from ..annotation_faults import fault_list
from .tar_shard import ShardCutError, TarShard

RECOUNT = 'delete it to have the shards counted again'
GONE_REMEDY = ("copy them again, take them out of count_file, or set on_short="
               "'skip' to do without them")
SCANNERS = 8  # shards counted at a time: counting waits for the disk
KEEP_SECONDS = 60  # of counting, lost by an interrupted start


class ShardCount(NamedTuple):
    """The samples of a shard.

    Args:
        samples (int): Faulty ones too.
        size (int): Of the file, in bytes.
        mtime (int): Time of the last change of the file, in nanoseconds; -1
            in a file of counts without times.
        faults (list[str]): Of samples, as far as the headers tell.
        whole (bool): Whether the file does not end early. Defaults to True.
        headers (array, optional): First byte of each sample, int64. Defaults
            to None, not kept.
    """
    samples: int
    size: int
    mtime: int
    faults: List[str]
    whole: bool = True
    headers: Optional[array] = None


def find_shards(
        pattern: Union[str, Sequence[str]]) -> Tuple[List[str], List[str]]:
    """Find shards.

    Args:
        pattern (str | Sequence[str]): Path of a shard, or a pattern of the
            shell; or the paths of all shards.

    Returns:
        tuple[list[str], list[str]]: Paths of shards, sorted for a pattern,
        and of links to nowhere and listed shards that do not exist.

    Raises:
        FileNotFoundError: If no shard fits.
        ValueError: If a path is a folder, a pipe or a device.
    """
    listed = not isinstance(pattern, str)
    found = list(pattern) if listed else sorted(glob.glob(str(pattern)))
    gone = [path for path in found if not os.path.exists(path)]
    shards = [path for path in found if path not in set(gone)]
    if not shards and not (listed and gone):
        raise FileNotFoundError(
            f'no shard fits {pattern}; correct ann_file and data_root. '
            'A pattern may have *, ? and [0-9], but no braces')
    for path in shards:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise ValueError(f'shard {path} is not a regular file; narrow '
                             f'ann_file, now {pattern}')
    return shards, gone


def count_samples(path: str,
                  skip_rest: bool,
                  headers: bool = False) -> ShardCount:
    """Count the samples of a shard by reading its headers.

    Args:
        path (str): The shard.
        skip_rest (bool): Whether a shard may end early; a warning tells.
        headers (bool): Whether the first bytes of samples are kept. Defaults
            to False.

    Returns:
        ShardCount: With the faults of samples.

    Raises:
        ShardCutError: If the shard ends early and ``skip_rest`` is False.
    """
    faults, whole = [], True
    with TarShard(path) as shard:
        state = os.fstat(shard.file.fileno())
        try:
            while shard.read_on():
                try:
                    shard.place(shard.count - 1)
                except ValueError as error:
                    faults.append(str(error))
        except ShardCutError as error:
            if not skip_rest:
                raise ShardCutError(
                    f"{error}; copy it again, or set on_short='skip' to do "
                    'without the rest') from error
            print_log(f'{error}: the rest is skipped', 'current', 30)
            whole = False
        return ShardCount(shard.count, state.st_size, state.st_mtime_ns,
                          faults, whole, shard.headers if headers else None)


def count_path(ann_file: str) -> str:
    """Return the name of the counts next to a list of places in shards.

    Args:
        ann_file (str): The list.

    Returns:
        str: Path with another ending.
    """
    return f'{os.path.splitext(ann_file)[0]}.counts.json'


class CountFile:
    """The counts of shards, by path relative to the folder of the file.

    Args:
        path (str): The file, which need not exist; '' for none.
        headers (bool): Whether counts without the first bytes of samples
            are out of date. Defaults to False.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If the file holds something else.
    """

    def __init__(self, path: str, headers: bool = False) -> None:
        self.path, self.headers = path, headers
        self.folder = os.path.dirname(os.path.abspath(path))
        if path and not os.path.isdir(self.folder):
            # Now, not after ten minutes of counting.
            raise FileNotFoundError(f'count_file {path}: its folder does not '
                                    'exist; make it')
        self.counts: Dict[str, ShardCount] = {}
        if path and os.path.isfile(path):
            kept = read_json(path, 'count_file', RECOUNT)
            try:
                self.counts = {k: _from_json(v) for k, v in kept.items()}
            except (AttributeError, KeyError, TypeError, ValueError) as error:
                raise ValueError(
                    f'count_file {path} does not hold "samples" and "bytes" '
                    f'of shards; {RECOUNT}') from error

    def name(self, shard: str) -> str:
        """Return the key of a shard.

        Args:
            shard (str): Path.

        Returns:
            str: Relative to the folder of the file.
        """
        return os.path.relpath(shard, self.folder)

    def gone(self, pattern: str, shards: List[str]) -> List[str]:
        """Return counted shards that no longer exist.

        Args:
            pattern (str): Which shards to look at.
            shards (list[str]): Paths of shards that exist.

        Returns:
            list[str]: Names, sorted.
        """
        fitting = self.name(pattern).split(os.sep)
        missing = self.counts.keys() - {self.name(shard) for shard in shards}
        return sorted(
            name for name in missing if _fits(name.split(os.sep), fitting))

    def update(self, shards: List[str],
               count: Callable[[str], ShardCount]) -> List[ShardCount]:
        """Count new and changed shards.

        Args:
            shards (list[str]): Paths.
            count (Callable): Gets a path and counts.

        Returns:
            list[ShardCount]: Of all shards.
        """
        stale = [shard for shard in shards if not self._is_current(shard)]
        new = sum(self.name(shard) not in self.counts for shard in stale)
        if self.counts and stale:
            print_log(
                f'{new} shards are new and {len(stale) - new} have changed '
                f'since {self.path} was written; they are counted', 'current')
        start, unkept = time.monotonic(), False
        with ThreadPool(SCANNERS) as pool:
            for shard, found in zip(stale, pool.imap(count, stale)):
                self.counts[self.name(shard)] = found
                unkept = unkept or found.whole
                if unkept and time.monotonic() > start + KEEP_SECONDS:
                    self._write()
                    start, unkept = time.monotonic(), False
        if unkept:
            self._write()
        return [self.counts[self.name(shard)] for shard in shards]

    def _is_current(self, shard: str) -> bool:
        """Tell whether a shard is as it was when counted."""
        kept, state = self.counts.get(self.name(shard)), os.stat(shard)
        if kept is None or self.headers and kept.headers is None:
            return False
        return (kept.size, kept.mtime) == (state.st_size, state.st_mtime_ns)

    def _write(self) -> None:
        """Write all or nothing; the next start must warn of cut shards."""
        if not self.path:
            return
        kept = {k: _to_json(v) for k, v in self.counts.items() if v.whole}
        # Several trainings may count the same shards at once.
        draft = f'{self.path}.{os.getpid()}'
        try:
            Path(draft).write_text(json.dumps(kept, indent=0, sort_keys=True))
            os.replace(draft, self.path)
        except OSError as error:
            # A folder for reading alone, as of a shared set, is no reason to
            # end a training.
            if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
                raise
            print_log(
                f'count_file {self.path} cannot be written '
                f'({error.strerror}): each start counts the shards anew',
                'current', 30)


def gone_error(pattern: str, gone: List[str]) -> ShardCutError:
    """Build the error of counted shards that no longer exist.

    Args:
        pattern (str): Of the shards.
        gone (list[str]): Their names.

    Returns:
        ShardCutError: With the first names.
    """
    return ShardCutError(
        fault_list(f'{len(gone)} shards of {pattern} are gone', gone,
                   f'{GONE_REMEDY}.'))


def _fits(parts: List[str], patterns: List[str]) -> bool:
    """Tell whether a path fits a pattern, folder by folder, as glob does."""
    return len(parts) == len(patterns) and all(
        fnmatch.fnmatchcase(part, pattern)
        for part, pattern in zip(parts, patterns))


def _from_json(entry: Dict[str, Any]) -> ShardCount:
    if int(entry['samples']) < 0:
        raise ValueError('a negative number of samples')
    headers = array('q', entry['headers']) if 'headers' in entry else None
    if headers is not None and len(headers) != entry['samples']:
        raise ValueError('another number of headers than of samples')
    return ShardCount(
        int(entry['samples']),
        int(entry['bytes']),
        int(entry.get('mtime', -1)),
        [str(fault) for fault in entry.get('faults', [])],
        headers=headers)


def _to_json(count: ShardCount) -> Dict[str, Any]:
    entry: Dict[str, Any] = dict(
        samples=count.samples, bytes=count.size, mtime=count.mtime)
    if count.faults:
        entry['faults'] = count.faults
    if count.headers is not None:
        entry['headers'] = count.headers.tolist()
    return entry
