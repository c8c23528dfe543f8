"""Reader of tar shards, as WebDataset writes them."""
import glob
import json
import os
import tarfile
from pathlib import Path
from typing import BinaryIO, Dict, Tuple

import numpy as np
from mmengine.logging import print_log

from .caption_records import PerProcess, Record
from .caption_text import captions_of

CAPTION_PARTS = ('.json', '.txt')
ON_SHORT = ('raise', 'skip')


class ShardRecords:
    """Tar files in which the parts of a sample follow each other.

    Parts of a sample have one name up to the first dot: a ``.json`` with
    ``caption``, or a ``.txt``, and the medium. Loading reads the headers
    alone; a sample is then read by its place. ``index_file`` keeps the places
    for the next time.

    Args:
        pattern (str): Path of a shard, or a pattern of shell for several.
        key (str): Unused.
        on_short (str): What to do about a shard that ends early: 'raise', or
            'skip' what is not whole, and log how much. Defaults to 'raise'.
        index_file (str, optional): An ``.npz`` to keep the places in.
            Defaults to ''.

    Raises:
        FileNotFoundError: If no shard fits the pattern.
        ValueError: If a shard ends early or holds no sample.
    """

    def __init__(self,
                 pattern: str,
                 key: str = '',
                 on_short: str = 'raise',
                 index_file: str = '') -> None:
        if on_short not in ON_SHORT:
            raise ValueError(f'on_short must be one of {list(ON_SHORT)}, but '
                             f'is {on_short!r}')
        self.on_short = on_short
        self.shards = sorted(glob.glob(pattern))
        if not self.shards:
            raise FileNotFoundError(f'no shard fits {pattern}; correct '
                                    'ann_file and data_root')
        self.files = PerProcess(dict)
        sizes = np.array([os.path.getsize(s) for s in self.shards])
        if index_file and os.path.isfile(index_file):
            with np.load(index_file) as found:
                if np.array_equal(found['sizes'], sizes):
                    self.places, self.names = found['places'], found['names']
                    return
        self._index()
        if index_file:
            np.savez(
                index_file, sizes=sizes, places=self.places, names=self.names)

    def _index(self) -> None:
        """Find the samples: shard, caption and medium (start, size)."""
        places, names, lost = [], [], 0
        for number, shard in enumerate(self.shards):
            found, missing = self._read_headers(shard)
            lost += missing
            for name, parts in found.items():
                captions = [p for p in CAPTION_PARTS if p in parts]
                media = [p for p in parts if p not in CAPTION_PARTS]
                if not captions or len(media) != 1:
                    raise ValueError(
                        f'shard {shard}: sample {name!r} has the parts '
                        f'{sorted(parts)}, not one medium and a caption')
                places.append((number, captions[0] == '.json',
                               *parts[captions[0]], *parts[media[0]]))
                names.append(name + media[0])
        if not places:
            raise ValueError(f'no sample in {len(self.shards)} shards')
        if lost:
            print_log(
                f'{lost} shards end early: what is not whole is '
                'skipped', 'current', 30)
        self.places = np.array(places, np.int64)
        self.names = np.array([name.encode() for name in names])

    def _read_headers(
            self,
            shard: str) -> Tuple[Dict[str, Dict[str, Tuple[int, int]]], int]:
        """Return the parts of each sample, and 1 if the shard ends early."""
        found: Dict[str, Dict[str, Tuple[int, int]]] = {}
        size, short = os.path.getsize(shard), 'its end mark is missing'
        try:
            with tarfile.open(shard, 'r:') as file:
                for member in file:
                    start = member.offset_data
                    if start + member.size > size:
                        raise tarfile.ReadError('unexpected end of data')
                    if member.isfile():
                        folder, base = os.path.split(member.name)
                        stem, dot, end = base.partition('.')
                        name = os.path.join(folder, stem)
                        part = dot + end.lower()
                        found.setdefault(name, {})[part] = (start, member.size)
                # Two empty blocks end a tar file.
                if file.offset + tarfile.BLOCKSIZE <= size:
                    short = ''
        except tarfile.TarError as error:
            short = str(error)
        if not short:
            return found, 0
        if self.on_short == 'raise':
            raise ValueError(
                f'shard {shard} ends early ({short}) after {len(found)} '
                "samples; copy it again, or set on_short='skip' to do without "
                'the rest')
        # The last sample may lack a part.
        if found:
            last = list(found)[-1]
            if len(found[last]) < 2:
                del found[last]
        return found, 1

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, index: int) -> Record:
        number, is_json, start, size, media_start, media_size = (
            self.places[index].tolist())
        name = self.names[index].decode()
        file = self._open(number)
        where = f'shard {self.shards[number]}: sample {name!r}'
        text = _read(file, start, size).decode('utf-8')
        try:
            entry = json.loads(text) if is_json else dict(caption=text)
        except ValueError as error:
            raise ValueError(f'{where} has no valid JSON') from error
        captions = captions_of(entry, where)
        content = _read(file, media_start, media_size)
        if len(content) < media_size:
            raise ValueError(f'{where} is cut off; the shard changed after '
                             'it was indexed')
        return Record(name, captions, content)

    def _open(self, number: int) -> BinaryIO:
        """Open a shard; few stay open."""
        files = self.files.get()
        if number not in files:
            while len(files) >= 8:
                files.pop(next(iter(files))).close()
            files[number] = Path(self.shards[number]).open('rb')
        return files[number]


def _read(file: BinaryIO, start: int, size: int) -> bytes:
    file.seek(start)
    return file.read(size)
