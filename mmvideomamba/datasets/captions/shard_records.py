"""Reader of tar shards, as WebDataset writes them."""
import functools
import os
from typing import Any, Dict, List, Tuple

import numpy as np
from mmengine import dist
from mmengine.logging import print_log

from mmvideomamba.json_file import parse_json
from .record import PerProcess, Record
from .shard_counts import CountFile, count_samples, find_shards, gone_error
from .tar_shard import Place, ShardCutError, TarShard
from .texts import captions_of

ON_SHORT = ('raise', 'skip')
MAX_OPEN = 16  # open shards of a process


class ShardRecords:
    """Tar files with the parts of a sample next to each other.

    Parts of a sample have the same name up to the first dot: the medium, and
    the caption as ``.txt`` or as ``caption`` of a ``.json``. Where there are
    both, the ``.txt`` is the caption, as img2dataset writes them, and the
    ``.json`` is not read.

    The reader keeps the count of samples of each shard; a process finds the
    samples of a shard while reading on. So entries are cheap to read shard
    by shard, see ``ShardSampler``, and dear in any other order. A sample
    without a medium or a caption keeps its number: reading it raises
    ValueError.

    Args:
        pattern (str): Path of a shard, or a pattern of shell for several.
        key (str): Unused.
        on_short (str): For a shard that ends early, or is gone since it was
            counted, 'raise', or 'skip' what is missing and log the amount.
            If a shard turns out short in the middle of a training, 'skip'
            raises a ValueError for each lost sample, which the data set
            treats as a bad medium. Defaults to 'raise'.
        count_file (str, optional): A ``.json`` to keep the counts in:
            ``{SHARD: {"samples": COUNT, "bytes": SIZE, "mtime": TIME}}``,
            paths relative to the file. New shards, and shards of another
            size or time of change, are counted, and the file is written anew
            without shards that end early; each start warns again.
            Without a file all headers are read at each start, by the first
            process. Defaults to ''.

    Attributes:
        faults (list[str]): Of samples, as far as the headers tell.

    Raises:
        FileNotFoundError: If no shard fits the pattern.
        ShardCutError: If a shard ends early or is gone and
            ``on_short='raise'``.
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
        self.shards, self.shard_ends, self.faults = found[0]
        self.opened = PerProcess(dict)

    def _find(self, pattern: str,
              count_file: str) -> Tuple[List[str], np.ndarray, List[str]]:
        """Return the shards, the running sum of samples, and faults."""
        shards, broken = find_shards(pattern)
        kept = CountFile(count_file)
        gone = sorted({*kept.gone(pattern, shards), *map(kept.name, broken)})
        if gone and self.on_short == 'raise':
            raise gone_error(pattern, gone)
        if gone:
            print_log(
                f'{gone_error(pattern, gone)}\nThe training does without '
                'them.', 'current', 30)
        skip = self.on_short == 'skip'
        counts = kept.update(shards,
                             functools.partial(count_samples, skip_rest=skip))
        ends = np.cumsum([count.samples for count in counts])
        if not ends[-1]:
            raise ValueError(f'no sample in {len(shards)} shards of {pattern}')
        return shards, ends, [x for count in counts for x in count.faults]

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
            try:
                entry = dict(caption=text.decode('utf-8-sig'))
            except UnicodeDecodeError as error:
                raise ValueError(f'{where} has a caption that is no UTF-8 '
                                 f'text (byte {error.start})') from error
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
        shard = opened.pop(number, None) or self._new(self.shards[number])
        opened[number] = shard
        while len(opened) > MAX_OPEN:
            opened.pop(next(iter(opened))).close()
        return shard

    def _new(self, path: str) -> TarShard:
        """Open a shard anew."""
        try:
            return TarShard(path)
        except FileNotFoundError as error:
            if self.on_short == 'skip':
                raise
            raise gone_error('this training', [path]) from error
