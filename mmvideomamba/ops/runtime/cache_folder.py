"""Folders of the user's own, for compiled kernels and verdicts on them."""
import logging
import os
import stat
import tempfile
from pathlib import Path
from typing import Optional

logger = logging.getLogger(__name__)


def user_folder(name: str) -> Path:
    """Return a folder of the package in the user's cache folder.

    Args:
        name (str): Purpose of the folder, 'verdicts' say.

    Returns:
        Path: The folder, whether there already or not, below
        ``XDG_CACHE_HOME``, on Windows ``LOCALAPPDATA``, else ``~/.cache``.
    """
    given = os.environ.get('XDG_CACHE_HOME') or os.environ.get('LOCALAPPDATA')
    root = Path(given) if given else Path(os.path.expanduser('~'), '.cache')
    return root / 'mmvideomamba' / name


def private_folder(name: str, make: bool = True) -> Optional[Path]:
    """Make or find a folder of the user below the temporary folder.

    Other users cannot enter the folder.

    Compiled kernels are code: whoever can write to the folder can run code.

    Args:
        name (str): Purpose of the folder, such as 'numba'.
        make (bool): Make the folder where there is none. Defaults to True.

    Returns:
        Path, optional: The folder, or None.
    """
    user = os.getuid() if hasattr(os, 'getuid') else 0
    try:
        path = Path(tempfile.gettempdir()) / f'mmvideomamba-{name}-{user}'
        if make:
            path.mkdir(mode=0o700, exist_ok=True)
        # Not stat: a link of another user could lead anywhere.
        found = path.lstat()
    except OSError:
        return None
    ours = stat.S_ISDIR(found.st_mode) and not found.st_mode & 0o077 and \
        found.st_uid == user
    return path if ours or os.name == 'nt' else None


def name_triton_cache() -> None:
    """Give Triton a private folder if the home folder cannot be written.

    Triton keeps kernels in ``~/.triton`` and fails without permission. The
    variables ``TRITON_CACHE_DIR`` and ``TRITON_HOME`` go first.
    """
    if os.environ.get('TRITON_CACHE_DIR') or os.environ.get('TRITON_HOME'):
        return
    home = Path(os.path.expanduser('~'), '.triton', 'cache')
    # A missing folder can be made if the nearest existing parent is writable.
    while not home.exists() and home != home.parent:
        home = home.parent
    if os.access(home, os.W_OK | os.X_OK):
        return
    folder = private_folder('triton')
    if folder is not None:
        os.environ['TRITON_CACHE_DIR'] = str(folder)
        logger.warning("Triton's kernels are kept in %s: %s cannot be written",
                       folder, home)
