"""The indexed videos by number, and the check of each path."""
import os
import re
import stat
from hashlib import blake2b
from pathlib import Path
from typing import Dict, FrozenSet, List, NamedTuple, Sequence

from mmvideomamba.inference.search import VideoRecord

_NAME = re.compile(r'([0-9]{1,9})-([0-9a-f]{8})', re.ASCII)


class VideoError(ValueError):
    """A video of the page cannot be given.

    Args:
        message (str): File, fault and remedy.
    """


class OpenedVideo(NamedTuple):
    """A video after the check.

    Args:
        path (str): Without links, inside an indexed folder.
        record (VideoRecord): From the index.
        state (os.stat_result): Of the file.
    """
    path: str
    record: VideoRecord
    state: os.stat_result


def _check_of(record: VideoRecord) -> str:
    """Return eight digits for a path and a content."""
    text = f'{record.digest} {record.path}'.encode('utf-8', 'surrogateescape')
    return blake2b(text, digest_size=4).hexdigest()


class IndexedVideos:
    """Name videos by numbers, as no request may name a path.

    A name is a number and eight digits, such as '12-0123abcd'. The digits of
    another content differ, so a page of an earlier server plays no wrong
    video.

    Args:
        records (Sequence[VideoRecord]): Of the index.
    """

    def __init__(self, records: Sequence[VideoRecord] = ()) -> None:
        self._paths: List[str] = []
        self._numbers: Dict[str, int] = {}
        self._records: Dict[str, VideoRecord] = {}
        self._roots: Dict[str, Path] = {}
        self._allowed: FrozenSet[Path] = frozenset()
        self.update(records)

    def update(self, records: Sequence[VideoRecord]) -> None:
        """Take the records of a changed index; known videos keep numbers.

        Args:
            records (Sequence[VideoRecord]): Of the index.
        """
        for one in records:
            if one.path not in self._numbers:
                self._numbers[one.path] = len(self._paths)
                self._paths.append(one.path)
            # A root is resolved once: a link put there later leads nowhere.
            if one.root not in self._roots:
                self._roots[one.root] = Path(os.path.realpath(one.root))
        # Other threads read, so each attribute is replaced as a whole.
        self._allowed = frozenset(self._roots[one.root] for one in records)
        self._records = {one.path: one for one in records}

    def name(self, path: str) -> str:
        """Return the name of a video.

        Args:
            path (str): Of the index.

        Returns:
            str: For ``open``.
        """
        return f'{self._numbers[path]}-{_check_of(self._records[path])}'

    def record(self, path: str) -> VideoRecord:
        """Return the record of a video.

        Args:
            path (str): Of the index.

        Returns:
            VideoRecord: From the index.
        """
        return self._records[path]

    def open(self, name: str) -> OpenedVideo:
        """Check a video, and return the path.

        Args:
            name (str): From a request.

        Returns:
            OpenedVideo: With a path without links.

        Raises:
            VideoError: If there is no such video, or the file is gone, no
                file, or outside of the indexed folders.
        """
        record = self._find(name)
        try:
            # At each request, as a link can be put in place after the
            # indexing.
            real = os.path.realpath(record.path, strict=True)
            state = os.stat(real)
        except (OSError, ValueError):
            raise VideoError(f'{record.name} is gone; index the folder '
                             'again') from None
        if not any(Path(real).is_relative_to(one) for one in self._allowed):
            raise VideoError(
                f'{record.name} is a link out of the indexed folders, and is '
                'not shown; index the folder of the file itself')
        if not stat.S_ISREG(state.st_mode):
            raise VideoError(f'{record.name} is not a regular file; index the '
                             'folder again')
        return OpenedVideo(real, record, state)

    def _find(self, name: str) -> VideoRecord:
        """Return the record of a name."""
        found = _NAME.fullmatch(name)
        number = int(found[1]) if found else len(self._paths)
        if found and number < len(self._paths):
            record = self._records.get(self._paths[number])
            if record is not None and _check_of(record) == found[2]:
                return record
        raise VideoError('the index holds no such video now; search again')
