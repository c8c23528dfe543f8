"""The checkpoint to resume an interrupted training from."""
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator, List, Optional, Sequence, Tuple, Union

import torch

from .reader import check_file

# Written by mmengine: holds the path of the checkpoint saved last.
LAST = 'last_checkpoint'
_ADVICE = re.compile('(: the download or the copy broke off)?; get the file '
                     'anew$')
TEMPLATES = ('epoch_{}.pth', 'iter_{}.pth')


@dataclass(frozen=True)
class Newest:
    """Outcome of a search.

    Args:
        path (Path, optional): The newest complete checkpoint; None if there
            is none.
        passed_over (tuple[str, ...]): Faults of newer files, each with the
            file's name.
    """
    path: Optional[Path]
    passed_over: Tuple[str, ...] = ()


def fault_of(path: Path) -> str:
    """Find the fault of a checkpoint.

    Args:
        path (Path): The file.

    Returns:
        str: With the path; '' for a complete file.
    """
    try:
        check_file(path)
        return ''
    except (ValueError, OSError) as error:
        # Without the advice for files from elsewhere.
        return _ADVICE.sub('', str(error))


def _iterations(path: Path) -> int:
    """Return the iterations done in a complete checkpoint, -1 if unknown."""
    try:
        # Tensors are mapped, not read.
        content = torch.load(path, 'cpu', weights_only=True, mmap=True)
        return int(content['meta']['iter'])
    except Exception:  # not of a training, or with content that is refused
        return -1


def _named_by_last(work_dir: Path, folder: Path) -> Optional[Path]:
    """Return the file named by ``last_checkpoint``.

    The name counts before the folder: a working folder may have been moved
    or copied.
    """
    try:
        text = (work_dir / LAST).read_text().strip()
        beside = (folder / Path(text).name, work_dir / Path(text).name)
        found = next((path for path in beside if path.is_file()), Path(text))
    except (OSError, ValueError):  # no file, no text, or no possible name
        return None
    return found if text else None


def _of_kind(folder: Path, template: str, since: int) -> Iterator[Path]:
    """Yield the files of a template, the highest number first.

    Args:
        folder (Path): Where the files are.
        template (str): Name with ``{}`` for the number.
        since (int): Time in ns; files changed earlier are left out.

    Yields:
        Path: A file.
    """
    start, _, end = re.sub(r'\{[^}]*\}', '{}', template).partition('{}')
    pattern = re.compile(f'{re.escape(start)}([0-9]+){re.escape(end)}')
    found = []
    for path in folder.glob('*'):
        match = pattern.fullmatch(path.name)
        if match and path.is_file() and path.stat().st_mtime_ns > since:
            found.append((int(match[1]), path))
    yield from (path for _, path in sorted(found, reverse=True))


def newest_checkpoint(work_dir: Union[str, Path],
                      folder: Union[str, Path, None] = None,
                      templates: Sequence[str] = TEMPLATES) -> Newest:
    """Find the newest complete checkpoint of a training.

    The file named by ``last_checkpoint`` is taken if complete, unless a
    complete file with more iterations was written later: the training ended
    between the two. Otherwise the complete file with the most iterations is
    taken.

    Args:
        work_dir (str | Path): Working folder, with ``last_checkpoint``.
        folder (str | Path, optional): Folder of the checkpoints. Defaults to
            None, the working folder.
        templates (Sequence[str]): Names of checkpoints, ``{}`` stands for a
            number. Defaults to those of mmengine.

    Returns:
        Newest: The checkpoint, and the faults of the files passed over.
    """
    work_dir = Path(work_dir)
    folder = Path(folder or work_dir)
    faults: List[str] = []
    since = -1
    best: Optional[Tuple[int, float, Path]] = None
    named = _named_by_last(work_dir, folder)
    if named is not None:
        fault = fault_of(named)
        if fault:
            faults.append(f'{fault} ({LAST} names it)')
        else:
            best = (_iterations(named), float('inf'), named)
            # A checkpoint is written before last_checkpoint: after a kill in
            # between, only a younger file can be newer.
            since = (work_dir / LAST).stat().st_mtime_ns
    for template in dict.fromkeys(templates):
        for path in _of_kind(folder, template, since):
            if path == named:
                continue
            fault = fault_of(path)
            if fault:
                faults.append(fault)
                continue
            # With as many iterations, the file named or written last.
            found = (_iterations(path), path.stat().st_mtime_ns, path)
            best = found if best is None else max(best, found)
            # Lower numbers are older.
            break
    return Newest(best[2] if best else None, tuple(faults))
