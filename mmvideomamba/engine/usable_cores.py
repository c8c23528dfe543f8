"""Number of cores for a process."""
import math
import os
from pathlib import Path
from typing import Iterator, Optional


def usable_cores(root: str = '/') -> int:
    """Return the number of cores for this process of a training.

    The number respects the affinity of the process and the limits of its
    control groups. Processes of ``torchrun`` on a machine share the cores;
    under Slurm the affinity of a process is its own.

    Args:
        root (str): Folder with ``proc`` and ``sys``. Defaults to '/'.

    Returns:
        int: At least 1.
    """
    if hasattr(os, 'sched_getaffinity'):
        cores = float(len(os.sched_getaffinity(0)))
    else:
        cores = float(os.cpu_count() or 1)
    for limit in _limits(Path(root)):
        cores = min(cores, limit)
    return max(math.floor(cores / _processes()), 1)


def _processes() -> int:
    """Return the number of the training's processes on this machine."""
    found = os.environ.get('LOCAL_WORLD_SIZE', '')
    return max(int(found), 1) if found.isdigit() else 1


def _limits(root: Path) -> Iterator[float]:
    """Yield the limits of control groups, in cores."""
    system = root / 'sys/fs/cgroup'
    for folder in (system, *_groups(root, system)):
        words = _words(folder / 'cpu.max')
        if len(words) == 2 and words[0].isdigit():
            yield int(words[0]) / int(words[1])
    for name in ('cpu', 'cpu,cpuacct'):  # version 1
        quota = _words(system / name / 'cpu.cfs_quota_us')
        period = _words(system / name / 'cpu.cfs_period_us')
        if quota and period and int(quota[0]) > 0:
            yield int(quota[0]) / int(period[0])


def _groups(root: Path, system: Path) -> Iterator[Path]:
    """Yield the folders of this process's group and of all parents."""
    own: Optional[str] = next((word[3:]
                               for word in _words(root / 'proc/self/cgroup')
                               if word.startswith('0::')), None)
    if own is None:
        return
    folder = Path(own.lstrip('/'))
    # The tightest limit of all parents counts, too.
    for part in (folder, *folder.parents):
        yield system / part


def _words(path: Path) -> list:
    """Return the words of a file, none if the file cannot be read."""
    try:
        return path.read_text().split()
    except OSError:
        return []
