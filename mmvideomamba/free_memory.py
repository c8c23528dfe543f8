"""Free memory of the CPU, of a GPU and of the temporary folder."""
import os
import shutil
import tempfile
from pathlib import Path
from typing import Optional

import torch

ROOT = Path('/')  # tests set a folder of files


def free_bytes(storage: str) -> Optional[int]:
    """Return the free memory of a storage.

    Args:
        storage (str): 'cpu', 'disk' for the temporary folder, or a device.

    Returns:
        int, optional: Bytes; None where the system does not report the free
        memory.
    """
    if storage == 'disk':
        return shutil.disk_usage(tempfile.gettempdir()).free
    device = torch.device(storage)
    if device.type == 'cuda':
        # Free blocks of the allocator count as used on the device, and are
        # free for this process.
        cached = torch.cuda.memory_reserved(device)
        cached -= torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + cached
    if device.type == 'cpu':
        found = [x for x in (_machine(), _control_group()) if x is not None]
        return min(found, default=None)
    return None


def held_bytes(storage: str) -> int:
    """Return the memory of a storage that this process holds.

    Args:
        storage (str): 'cpu', or a device.

    Returns:
        int: Bytes of tensors on a GPU, of the resident set on the CPU; 0
        where nobody tells.
    """
    device = torch.device(storage)
    if device.type == 'cuda':
        return torch.cuda.memory_allocated(device)
    if device.type == 'cpu':
        try:
            pages = int((ROOT / 'proc/self/statm').read_text().split()[1])
        except OSError:
            return 0
        return pages * os.sysconf('SC_PAGE_SIZE')
    return 0


def processes_per_node(world: int) -> int:
    """Return how many processes share the memory of this machine.

    Without a word from the launcher (torchrun tells), one process per GPU is
    assumed.

    Args:
        world (int): Number of all processes.

    Returns:
        int: At most ``world``.
    """
    told = os.environ.get('LOCAL_WORLD_SIZE', '')
    local = int(told) if told.isdecimal() else torch.cuda.device_count()
    return min(world, max(1, local))


def _machine() -> Optional[int]:
    """Return the memory that Linux calls available, with page cache."""
    try:
        text = (ROOT / 'proc/meminfo').read_text()
    except OSError:
        return None
    for line in text.splitlines():
        if line.startswith('MemAvailable:'):
            return int(line.split()[1]) * 1024
    return None


def _control_group() -> Optional[int]:
    """Return the free part of the tightest limit of a job or container.

    Cached files count as used in a control group, but give way.
    """
    try:
        text = (ROOT / 'proc/self/cgroup').read_text()
    except OSError:
        return None
    inner = text.strip().rpartition(':')[2].strip('/')
    top = ROOT / 'sys/fs/cgroup'
    folder = top / inner
    found = []
    for group in (folder, *folder.parents):
        try:
            limit = (group / 'memory.max').read_text().strip()
            if limit != 'max':
                stat = dict(
                    line.split()
                    for line in (group /
                                 'memory.stat').read_text().splitlines())
                used = int((group / 'memory.current').read_text())
                # Shared memory is among the files, but does not give way.
                used -= int(stat.get('file', 0)) - int(stat.get('shmem', 0))
                found.append(max(0, int(limit) - used))
        except (OSError, ValueError):
            pass  # no such group, or no version 2
        if group == top:
            break
    return min(found, default=None)
