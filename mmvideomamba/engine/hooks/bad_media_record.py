"""The list of bad files of a work dir, ``bad_media.json``."""
import json
import os
from collections import Counter
from pathlib import Path
from typing import Any, Dict, Iterable, List, Optional, Set, Tuple

from mmengine.logging import print_log

from mmvideomamba.datasets.bad_medium import BadMedium

_FORM = dict(
    part=str,
    file=str,
    fault=str,
    kind=str,
    hung=bool,
    policy=str,
    source=str,
    epochs=dict,
    count=int)


class BadMediaRecord:
    """Bad files with faults, policies, epochs and counts.

    An entry has ``part`` ('train', 'val' or 'test'), ``file``, ``fault``,
    ``kind``, ``hung``, ``policy``, ``source`` (annotation file), ``epochs``
    (samples of the file by epoch, from 1 on) and ``count`` (the sum).

    Args:
        entries (Iterable[dict]): As written. Defaults to (), none.

    Attributes:
        counts (Counter): Files by part and source.
    """

    def __init__(self, entries: Iterable[Dict[str, Any]] = ()) -> None:
        self.entries: Dict[Tuple[str, str], Dict[str, Any]] = {
            (entry['part'], entry['file']): dict(entry)
            for entry in entries
        }
        self.counts: Counter = Counter()
        self._count()

    def _count(self) -> None:
        """Count the files of each data set."""
        self.counts = Counter((entry['part'], entry['source'])
                              for entry in self.entries.values())

    @classmethod
    def read(cls, path: Path) -> 'BadMediaRecord':
        """Read a file; a missing file is an empty record.

        Args:
            path (Path): The file.

        Returns:
            BadMediaRecord: The record; empty, with a warning, for a file
            of another content.
        """
        if not path.is_file():
            return cls()
        try:
            entries = json.loads(path.read_text(encoding='utf-8'))['files']
            return cls(_checked(entry) for entry in entries)
        except (KeyError, OSError, TypeError, ValueError) as error:
            print_log(f'{path} cannot be read ({error!r}) and is begun anew',
                      'current', 30)
            return cls()

    def write(self, path: Path) -> None:
        """Write all or nothing.

        Args:
            path (Path): The file.

        Raises:
            OSError: If the file cannot be written.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f'{path.name}.{os.getpid()}')
        content = dict(files=list(self.entries.values()))
        try:
            draft.write_text(
                json.dumps(content, indent=1, ensure_ascii=False) + '\n',
                encoding='utf-8',
                # A name of other bytes than UTF-8 holds surrogates, which
                # become escapes of JSON.
                errors='backslashreplace')
            os.replace(draft, path)
        except OSError:
            draft.unlink(missing_ok=True)
            raise

    def add(self, part: str, epoch: int, found: Iterable[BadMedium]) -> None:
        """Take bad media.

        Args:
            part (str): 'train', 'val' or 'test'.
            epoch (int): Number of the epoch, from 1 on.
            found (Iterable[BadMedium]): A report for each sample and file.
        """
        for bad in found:
            if (part, bad.file) not in self.entries:
                self.counts[part, bad.source] += 1
            entry = self.entries.setdefault((part, bad.file),
                                            dict(epochs={}, count=0))
            entry.update(
                part=part,
                file=bad.file,
                fault=bad.fault,
                kind=bad.kind,
                hung=bad.hung or entry.get('hung', False),
                policy=bad.policy,
                source=bad.source)
            epochs = entry['epochs']
            epochs[str(epoch)] = epochs.get(str(epoch), 0) + 1
            entry['count'] = sum(epochs.values())

    def forget(self, part: str, after: Optional[int] = None) -> None:
        """Leave out the part to be repeated.

        Args:
            part (str): 'train', 'val' or 'test'.
            after (int, optional): Last epoch to keep, of a resumed run, with
                all hung files. Defaults to None, nothing is kept.
        """
        for key, entry in list(self.entries.items()):
            if key[0] != part:
                continue
            entry['epochs'] = {
                epoch: count
                for epoch, count in entry['epochs'].items()
                if int(epoch) <= (after or 0)
            }
            entry['count'] = sum(entry['epochs'].values())
            hung = entry['hung'] and after is not None
            if not entry['epochs'] and not hung:
                del self.entries[key]
        self._count()

    def hung(self, parts: Iterable[str]) -> Set[str]:
        """Return the files after a hanging decoder.

        Args:
            parts (Iterable[str]): Of 'train', 'val' and 'test'.

        Returns:
            set[str]: The files.
        """
        return {
            e['file']
            for e in self.entries.values() if e['hung'] and e['part'] in parts
        }

    def faults(self, part: str, source: str) -> Dict[str, str]:
        """Return the bad files of a data set.

        Args:
            part (str): 'train', 'val' or 'test'.
            source (str): Annotation file of the data set.

        Returns:
            dict[str, str]: Fault by file.
        """
        return {
            entry['file']: entry['fault']
            for entry in self.entries.values()
            if entry['part'] == part and entry['source'] == source
        }

    def of_epoch(self, part: str, epoch: int) -> List[Dict[str, Any]]:
        """Return the entries of an epoch.

        Args:
            part (str): 'train', 'val' or 'test'.
            epoch (int): Number of the epoch, from 1 on.

        Returns:
            list[dict]: The entries.
        """
        return [
            entry for entry in self.entries.values()
            if entry['part'] == part and str(epoch) in entry['epochs']
        ]


def _checked(entry: Dict[str, Any]) -> Dict[str, Any]:
    """Return an entry, or raise if a hand has changed its form."""
    for name, kind in _FORM.items():
        if not isinstance(entry[name], kind):
            raise TypeError(f'{name} is {entry[name]!r}')
    for epoch, count in entry['epochs'].items():
        if not epoch.isdecimal() or not isinstance(count, int):
            raise TypeError(f'epochs is {entry["epochs"]!r}')
    return entry
