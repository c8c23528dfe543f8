"""A folder of the user's own for compiled kernels."""
import os
import stat
import tempfile
from pathlib import Path
from typing import Optional


def private_folder(name: str) -> Optional[Path]:
    """Make a folder below the temporary one, closed to other users.

    Compiled kernels are code: whoever can write to the folder can run code.

    Args:
        name (str): Purpose of the folder, such as 'numba'.

    Returns:
        Path, optional: The folder, or None.
    """
    user = os.getuid() if hasattr(os, 'getuid') else 0
    try:
        path = Path(tempfile.gettempdir()) / f'mmvideomamba-{name}-{user}'
        path.mkdir(mode=0o700, exist_ok=True)
        found = path.lstat()
    except OSError:
        return None
    ours = stat.S_ISDIR(found.st_mode) and not found.st_mode & 0o077 and \
        found.st_uid == user
    return path if ours or os.name == 'nt' else None
