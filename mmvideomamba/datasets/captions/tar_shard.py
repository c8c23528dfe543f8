"""A tar shard, read from the start on."""
import os
from array import array
from typing import Dict, Iterator, List, NamedTuple, Optional, Tuple

from .tar_members import Member, TarEndError, TarMembers

CAPTION_PARTS = ('.txt', '.json')  # the first of them wins


class ShardCutError(ValueError):
    """A shard ends too early, or is gone."""


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


class _Sample:
    """Neighbouring files with the same name up to the first dot."""

    def __init__(self, name: str, header: int) -> None:
        self.name, self.header = name, header
        self.parts: Dict[str, Tuple[int, int]] = {}
        self.faults: List[str] = []

    def add(self, part: str, member: Member) -> None:
        """Add a file."""
        if part in self.parts:
            self.faults.append(f'has {part!r} twice')
        if member.sparse:
            self.faults.append(f'has {part!r} with holes left out')
        self.parts[part] = (member.start, member.size)

    def may_be_whole(self) -> bool:
        """Tell whether the sample has a caption and a medium."""
        captions = len(self.parts.keys() & set(CAPTION_PARTS))
        return 0 < captions < len(self.parts)


class TarShard:
    """The samples of a shard, found by reading headers in turn.

    Contents are passed over until asked for. What is kept of a sample is a
    number: its headers are read again when the sample is read.

    As for WebDataset, files without an ending and hidden files belong to no
    sample.

    Args:
        path (str): The file.

    Raises:
        FileNotFoundError: If the file does not exist.
    """

    def __init__(self, path: str) -> None:
        self.path, self.missing = path, ''
        self.file = open(path, 'rb')
        self.headers = array('q')  # the first of each sample
        size = os.fstat(self.file.fileno()).st_size
        self._members = TarMembers(self.file, size)
        self._samples = self._walk()
        self._last: Optional[_Sample] = None

    def __enter__(self) -> 'TarShard':
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self.file.close()

    @property
    def count(self) -> int:
        """Number of samples found so far."""
        return len(self.headers)

    def read_on(self) -> bool:
        """Find the next sample, a faulty one too.

        Returns:
            bool: Whether the sample exists.

        Raises:
            ShardCutError: If the shard ends early.
        """
        self._last = next(self._samples, None)
        if self._last is not None:
            self.headers.append(self._last.header)
        return self._last is not None

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
            ValueError: If the sample is not a single medium with a caption.
        """
        # Mostly the last sample is asked for, and has been parsed while
        # reading on.
        header, sample = self.headers[index], self._last
        if sample is None or sample.header != header:
            try:
                sample = next(self._groups(header), None)
            except TarEndError:
                sample = None
        if sample is None:
            raise ValueError(f'shard {self.path} changed while it was read')
        where = f'shard {self.path}: sample {sample.name!r}'
        if sample.faults:
            raise ValueError(f'{where} {sample.faults[0]}')
        captions = [p for p in CAPTION_PARTS if p in sample.parts]
        media = [p for p in sample.parts if p not in CAPTION_PARTS]
        if not captions or len(media) != 1:
            raise ValueError(f'{where} has the parts {sorted(sample.parts)}, '
                             'not one medium and a caption')
        return Place(sample.name + media[0], captions[0] == '.json',
                     sample.parts[captions[0]], sample.parts[media[0]])

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

    def _walk(self) -> Iterator[_Sample]:
        """Yield all samples; raise ShardCutError at an early end."""
        try:
            yield from self._groups(0)
        except TarEndError as error:
            raise ShardCutError(
                f'shard {self.path} ends early ({error}) after '
                f'{self.count} samples') from error

    def _groups(self, offset: int) -> Iterator[_Sample]:
        """Yield samples from a header on."""
        sample: Optional[_Sample] = None
        try:
            for member in self._members.read(offset):
                name, part = _split(member.name)
                if not part:
                    continue
                if sample is not None and sample.name != name:
                    yield sample
                    sample = None
                sample = sample or _Sample(name, member.header)
                sample.add(part, member)
        except TarEndError:
            # The last sample of a cut shard may lack a part.
            if sample is not None and sample.may_be_whole():
                yield sample
            raise
        if sample is not None:
            yield sample


def _split(path: str) -> Tuple[str, str]:
    """Split a path at the first dot of the file's name.

    The second part is '' for a file that belongs to no sample.
    """
    dot = path.find('.', path.rfind('/') + 1)
    part = path[dot:].lower() if dot > 0 and path[dot - 1] != '/' else ''
    return (path[:dot], part) if len(part) > 1 else (path, '')
