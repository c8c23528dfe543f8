"""Reader of tar shards, as WebDataset writes them."""
import functools
import os
from typing import Any, Dict, List, NamedTuple, Sequence, Tuple, Union

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


class ShardEntry(NamedTuple):
    """A sample of a shard, read when asked for.

    Args:
        shard (TarShard): Open.
        place (Place): Of the sample.
    """
    shard: TarShard
    place: Place

    @property
    def name(self) -> str:
        """Path of the shard, and of the medium within."""
        return os.path.join(self.shard.path, self.place.name)

    @property
    def where(self) -> str:
        """Shard and sample, for an error."""
        return f'shard {self.shard.path}: sample {self.place.name!r}'

    def medium(self) -> bytes:
        """Read the medium.

        Returns:
            bytes: The file of a video or an image.

        Raises:
            ValueError: If the shard is cut off.
        """
        return self.shard.content(*self.place.medium)

    def caption(self) -> Any:
        """Read the caption.

        Returns:
            Any: A dict with ``caption`` for a ``.txt``; else what the JSON
            holds.

        Raises:
            ValueError: If the caption is not UTF-8 or not JSON, or the shard
                is cut off.
        """
        text = self.shard.content(*self.place.caption)
        if self.place.is_json:
            return parse_json(text, f'{self.where}, caption,',
                              'correct the shard')
        try:
            return dict(caption=text.decode('utf-8-sig'))
        except UnicodeDecodeError as error:
            raise ValueError(f'{self.where} has a caption that is not UTF-8 '
                             f'text (byte {error.start})') from error


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
        pattern (str | Sequence[str]): Path of a shard, or a pattern of the
            shell for several; or the paths, whose order is kept.
        key (str): Unused.
        on_short (str): For a shard that ends early, or is gone since it was
            counted, 'raise', or 'skip' what is missing and log the amount.
            If a shard turns out short in the middle of a training, 'skip'
            raises a ValueError for each lost sample, which the data set
            treats as a bad medium. Defaults to 'raise'.
        count_file (str): A ``.json`` to keep the counts in:
            ``{SHARD: {"samples": COUNT, "bytes": SIZE, "mtime": TIME}}``,
            paths relative to the file. New shards, and shards of another
            size or time of change, are counted, and the file is written anew
            without shards that end early; each start warns again.
            Without a file all headers are read at each start, by the first
            process. Defaults to ''.
        any_order (bool): Whether the first byte of each sample is kept too,
            in ``count_file`` and in memory, 8 bytes a sample: for sets of a
            million at most, cheap to read in any order. Defaults to False.

    Attributes:
        faults (list[str]): Of samples, as far as the headers tell.

    Raises:
        FileNotFoundError: If no shard fits the pattern.
        ShardCutError: If a shard ends early or is gone and
            ``on_short='raise'``.
        ValueError: If the shards hold no sample, or something else.
    """

    def __init__(self,
                 pattern: Union[str, Sequence[str]],
                 key: str = '',
                 on_short: str = 'raise',
                 count_file: str = '',
                 any_order: bool = False) -> None:
        if on_short not in ON_SHORT:
            raise ValueError(f'on_short must be one of {list(ON_SHORT)}, but '
                             f'is {on_short!r}')
        self.on_short, self.any_order = on_short, any_order
        found: List[Any] = [None]
        if dist.is_main_process():
            try:
                found = [self._find(pattern, count_file)]
            except (OSError, ValueError) as error:
                # Broadcast like a result: the other processes would wait for
                # ever.
                found = [error]
        dist.broadcast_object_list(found)
        if isinstance(found[0], Exception):
            raise found[0]
        self.shards, self.shard_ends, self.faults, self.kept = found[0]
        self.opened = PerProcess(dict)

    def _find(
            self, pattern: Union[str, Sequence[str]],
            count_file: str) -> Tuple[List[str], np.ndarray, List[str], list]:
        """Return shards, running sum of samples, faults, sizes and headers."""
        shards, broken = find_shards(pattern)
        kept = CountFile(count_file, self.any_order)
        gone = set(map(kept.name, broken))
        source = 'the list'
        if isinstance(pattern, str):
            gone.update(kept.gone(pattern, shards))
            source = pattern
        if gone and self.on_short == 'raise':
            raise gone_error(source, sorted(gone))
        if gone:
            print_log(
                f'{gone_error(source, sorted(gone))}\nThe training does '
                'without them.', 'current', 30)
        skip = self.on_short == 'skip'
        counts = kept.update(
            shards,
            functools.partial(
                count_samples, skip_rest=skip, headers=self.any_order))
        ends = np.cumsum([count.samples for count in counts])
        # A slice, as there may be no shard at all.
        if not ends[-1:].any():
            raise ValueError(f'no sample in {len(shards)} shards of {source}')
        headers = [(one.size, one.headers) for one in counts]
        return (shards, ends, [x for one in counts for x in one.faults],
                headers if self.any_order else [])

    def __len__(self) -> int:
        return int(self.shard_ends[-1])

    def __getitem__(self, index: int) -> Record:
        found = self.entry(index)
        captions = captions_of(found.caption(), found.where)
        return Record(found.name, captions, found.medium())

    def entry(self, index: int) -> ShardEntry:
        """Find a sample.

        Args:
            index (int): Number of the sample, over all shards.

        Returns:
            ShardEntry: The sample.

        Raises:
            ShardCutError: If the shard ends early or is gone and
                ``on_short='raise'``.
            ValueError: If the sample lacks a part.
        """
        number = int(np.searchsorted(self.shard_ends, index, side='right'))
        start = int(self.shard_ends[number - 1]) if number else 0
        shard = self._open(number)
        counted = int(self.shard_ends[number]) - start
        return ShardEntry(shard, self._place(shard, index - start, counted))

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
        # Taken out and put at the end: the first of the dict is the shard
        # unread for longest.
        shard = opened.pop(number, None) or self._new(number)
        opened[number] = shard
        while len(opened) > MAX_OPEN:
            opened.pop(next(iter(opened))).close()
        return shard

    def _new(self, number: int) -> TarShard:
        """Open a shard anew."""
        path = self.shards[number]
        try:
            shard = TarShard(path)
        except FileNotFoundError as error:
            if self.on_short == 'skip':
                raise
            raise gone_error('this training', [path]) from error
        if self.kept:
            size, headers = self.kept[number]
            # Of another size the shard is read from the start, to tell what
            # is lost.
            if os.fstat(shard.file.fileno()).st_size == size:
                shard.headers = headers
        return shard
