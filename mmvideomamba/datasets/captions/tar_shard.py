"""A tar shard, read from the start on."""
import os
import tarfile
from typing import Dict, Generator, Iterator, List, NamedTuple, Tuple

CAPTION_PARTS = ('.json', '.txt')
EMPTY = bytes(tarfile.BLOCKSIZE)
Parts = Dict[str, Tuple[int, int]]


class ShardCutError(ValueError):
    """A shard ends too early."""


class Place(NamedTuple):
    """Place of a sample in a shard.

    Args:
        name (str): With the ending of the medium.
        is_json (bool): Whether the caption is in a JSON dict.
        caption (tuple[int, int]): First byte and size.
        medium (tuple[int, int]): First byte and size.
    """
    name: str
    is_json: bool
    caption: Tuple[int, int]
    medium: Tuple[int, int]


class TarShard:
    """The samples of a shard, found by reading headers in turn.

    Contents are passed over until asked for.

    Args:
        path (str): The file.

    Raises:
        FileNotFoundError: If the file does not exist.
    """

    def __init__(self, path: str) -> None:
        self.path, self.missing = path, ''
        self.file = open(path, 'rb')
        self.found: List[Tuple[str, Parts]] = []
        self.samples = self._walk()

    def __enter__(self) -> 'TarShard':
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self.samples.close()
        self.file.close()

    @property
    def count(self) -> int:
        """Number of samples found so far."""
        return len(self.found)

    def read_on(self) -> bool:
        """Find the next sample.

        Returns:
            bool: Whether the sample exists.

        Raises:
            ShardCutError: If the shard ends early.
        """
        sample = next(self.samples, None)
        if sample is not None:
            self.found.append(sample)
        return sample is not None

    def reach(self, index: int) -> bool:
        """Read on up to a sample; see ``read_on``.

        Args:
            index (int): Number within the shard.

        Returns:
            bool: Whether the sample exists.
        """
        while self.count <= index:
            if not self.read_on():
                return False
        return True

    def place(self, index: int) -> Place:
        """Return the place of a sample found before.

        Args:
            index (int): Number within the shard.

        Returns:
            Place: Name, caption and medium.

        Raises:
            ValueError: If the sample is no single medium with a caption.
        """
        name, parts = self.found[index]
        captions = [p for p in CAPTION_PARTS if p in parts]
        media = [p for p in parts if p not in CAPTION_PARTS]
        if not captions or len(media) != 1:
            raise ValueError(
                f'shard {self.path}: sample {name!r} has the parts '
                f'{sorted(parts)}, not one medium and a caption')
        return Place(name + media[0], captions[0] == '.json',
                     parts[captions[0]], parts[media[0]])

    def content(self, start: int, size: int) -> bytes:
        """Read bytes.

        Args:
            start (int): The first.
            size (int): How many.

        Returns:
            bytes: As many.

        Raises:
            ValueError: If the file is shorter.
        """
        self.file.seek(start)
        content = self.file.read(size)
        if len(content) < size:
            raise ValueError(f'shard {self.path} is cut off; it changed while '
                             'it was read')
        return content

    def _walk(self) -> Generator[Tuple[str, Parts], None, None]:
        """Yield name and parts of each sample."""
        size = os.fstat(self.file.fileno()).st_size
        name, short = '', ''
        parts: Parts = {}
        try:
            with tarfile.open(fileobj=self.file, mode='r:') as tar:
                for member in self._members(tar):
                    start = member.offset_data
                    if start + member.size > size:
                        raise tarfile.ReadError('unexpected end of data')
                    stem, part = _split(member.name)
                    if stem != name and parts:
                        yield name, parts
                        parts = {}
                    name = stem
                    parts[part] = (start, member.size)
                # An empty block ends a tar file.
                self.file.seek(tar.offset)
                if self.file.read(tarfile.BLOCKSIZE) != EMPTY:
                    short = f'no header or end mark at byte {tar.offset}'
        except tarfile.TarError as error:
            short = str(error)
        captions = len(parts.keys() & set(CAPTION_PARTS))
        # The last sample of a cut shard may lack a part.
        if parts and (not short or 0 < captions < len(parts)):
            yield name, parts
        if short:
            raise ShardCutError(
                f'shard {self.path} ends early ({short}) after {self.count} '
                'samples')

    @staticmethod
    def _members(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
        """Yield the files; tarfile itself would keep them all."""
        member = tar.next()
        while member is not None:
            if member.isfile():
                yield member
            tar.members.clear()  # type: ignore[attr-defined]
            member = tar.next()


def _split(path: str) -> Tuple[str, str]:
    """Split a path at the first dot of the file's name."""
    folder, base = os.path.split(path)
    stem, dot, end = base.partition('.')
    return os.path.join(folder, stem), dot + end.lower()
