"""Reader of tar shards, as WebDataset writes them."""
import glob
import json
import os
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import Any, Dict, List, Tuple

import numpy as np
from mmengine import dist
from mmengine.logging import print_log

from mmvideomamba.json_file import parse_json, read_json
from .record import PerProcess, Record
from .tar_shard import Place, ShardCutError, TarShard
from .texts import captions_of

RECOUNT = 'delete it to have the shards counted again'
ON_SHORT = ('raise', 'skip')
MAX_OPEN = 16  # open shards of a process
SCANNERS = 8  # shards counted at a time: counting waits for the disk


class ShardRecords:
    """Tar files with the parts of a sample next to each other.

    Parts of a sample have the same name up to the first dot: a ``.json`` with
    ``caption``, or a ``.txt``, and the medium.

    The reader keeps the count of samples of each shard; a process finds the
    samples of a shard while reading on. So entries are cheap to read shard
    by shard, see ``ShardSampler``, and dear in any other order.

    Args:
        pattern (str): Path of a shard, or a pattern of shell for several.
        key (str): Unused.
        on_short (str): For a shard that ends early 'raise', or 'skip' the
            incomplete rest and log the amount. If a shard turns out short
            in the middle of a training, 'skip' raises a ValueError for each
            lost sample, which the data set treats as a bad medium. Defaults
            to 'raise'.
        count_file (str, optional): A ``.json`` to keep the counts in:
            ``{SHARD: {"samples": COUNT, "bytes": SIZE}}``, paths relative to
            the file. Missing shards, and shards of another size, are
            counted, and the file is written anew without shards that end
            early, so that each start warns again. Without a file all headers
            are read at each start, by the first process. Defaults to ''.

    Raises:
        FileNotFoundError: If no shard fits the pattern.
        ShardCutError: If a shard ends early and ``on_short='raise'``.
        ValueError: If the shards hold no sample, or something else.
    """

    def __init__(self,
                 pattern: str,
                 key: str = '',
                 on_short: str = 'raise',
                 count_file: str = '') -> None:
        if on_short not in ON_SHORT:
            raise ValueError(f'on_short must be one of {list(ON_SHORT)}, but '
                             f'is {on_short!r}')
        self.on_short = on_short
        found: List[Any] = [None]
        if dist.is_main_process():
            try:
                found = [self._find(pattern, count_file)]
            except (OSError, ValueError) as error:
                found = [error]
        dist.broadcast_object_list(found)
        if isinstance(found[0], Exception):
            raise found[0]
        self.shards, self.shard_ends = found[0]
        self.opened = PerProcess(dict)

    def _find(self, pattern: str,
              count_file: str) -> Tuple[List[str], np.ndarray]:
        """Return the shards, and the running sum of sample counts."""
        shards = sorted(glob.glob(pattern))
        if not shards:
            raise FileNotFoundError(
                f'no shard fits {pattern}; correct ann_file and data_root. '
                'A pattern may have *, ? and [0-9], but no braces')
        folder = os.path.dirname(os.path.abspath(count_file))
        names = [os.path.relpath(s, folder) for s in shards]
        sizes = [os.path.getsize(shard) for shard in shards]
        kept = _read_counts(count_file)
        stale = [
            i for i, (name, size) in enumerate(zip(names, sizes))
            if kept.get(name, {}).get('bytes') != size
        ]
        with ThreadPool(SCANNERS) as pool:
            counts = pool.map(lambda i: self._count(shards[i]), stale)
        cut = set()
        for i, (count, whole) in zip(stale, counts):
            kept[names[i]] = dict(samples=count, bytes=sizes[i])
            if not whole:
                cut.add(names[i])
        ends = np.cumsum([kept[name]['samples'] for name in names])
        if not ends[-1]:
            raise ValueError(f'no sample in {len(shards)} shards')
        if count_file and len(stale) > len(cut):
            # The next start must warn of cut shards again.
            _write_counts(count_file, {
                k: v
                for k, v in kept.items() if k not in cut
            })
        return shards, ends

    def _count(self, path: str) -> Tuple[int, bool]:
        """Count the samples of a shard; tell whether the shard is whole."""
        whole = True
        with TarShard(path) as shard:
            try:
                while shard.read_on():
                    shard.place(shard.count - 1)
            except ShardCutError as error:
                if self.on_short == 'raise':
                    raise ShardCutError(
                        f"{error}; copy it again, or set on_short='skip' to "
                        'do without the rest') from error
                print_log(f'{error}: the rest is skipped', 'current', 30)
                whole = False
            return shard.count, whole

    def __len__(self) -> int:
        return int(self.shard_ends[-1])

    def __getitem__(self, index: int) -> Record:
        number = int(np.searchsorted(self.shard_ends, index, side='right'))
        start = int(self.shard_ends[number - 1]) if number else 0
        shard = self._open(number)
        counted = int(self.shard_ends[number]) - start
        place = self._place(shard, index - start, counted)
        where = f'shard {shard.path}: sample {place.name!r}'
        text = shard.content(*place.caption)
        if place.is_json:
            entry = parse_json(text, f'{where}, caption,', 'correct the shard')
        else:
            entry = dict(caption=text.decode('utf-8'))
        captions = captions_of(entry, where)
        return Record(
            os.path.join(shard.path, place.name), captions,
            shard.content(*place.medium))

    def _place(self, shard: TarShard, index: int, counted: int) -> Place:
        """Find a sample, or report the samples lost by the shard."""
        try:
            if shard.reach(index):
                return shard.place(index)
            reason = f'shard {shard.path} ends after {shard.count} samples'
        except ShardCutError as error:
            reason = str(error)
        if not shard.missing:
            shard.missing = (f'{reason}, but was counted with {counted}: '
                             f'{counted - shard.count} samples are lost')
            if self.on_short == 'skip':
                print_log(shard.missing, 'current', 30)
        if self.on_short == 'raise':
            raise ShardCutError(
                f"{shard.missing}; copy it again, or set on_short='skip' to "
                'do without them')
        raise ValueError(shard.missing)

    def _open(self, number: int) -> TarShard:
        """Open a shard; the last read shards stay open."""
        opened: Dict[int, TarShard] = self.opened.get()
        shard = opened.pop(number, None) or TarShard(self.shards[number])
        opened[number] = shard
        while len(opened) > MAX_OPEN:
            opened.pop(next(iter(opened))).close()
        return shard


def _read_counts(path: str) -> Dict[str, Dict[str, int]]:
    if not path or not os.path.isfile(path):
        return {}
    kept = read_json(path, 'count_file', RECOUNT)
    try:
        return {
            name: dict(samples=int(x['samples']), bytes=int(x['bytes']))
            for name, x in kept.items()
        }
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f'count_file {path} does not hold "samples" and "bytes" of '
            f'shards; {RECOUNT}') from error


def _write_counts(path: str, counts: Dict[str, Dict[str, int]]) -> None:
    """Write all or nothing."""
    draft = f'{path}.{os.getpid()}'
    Path(draft).write_text(json.dumps(counts, indent=0, sort_keys=True))
    os.replace(draft, path)
