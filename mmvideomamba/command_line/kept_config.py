"""The config that a runner keeps in the working folder of a training."""
import os
import re
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator, List

from mmengine.config import Config
from mmengine.dist import is_main_process

from mmvideomamba.atomic_file import draft_of, finish_file

# Of a runner without a config file; tools of the hosts build such runners
# in the working folder of a training.
_TIME = re.compile(r'\d{8}_\d{6}')
# Without spaces where mmengine formats no code.
_NAMED = re.compile(r'^work_dir\s*=', re.MULTILINE)


def kept_configs(folder: Path) -> List[Path]:
    """List the configs kept in a working folder.

    Args:
        folder (Path): The folder, which may be missing.

    Returns:
        list[Path]: Config files, the one written last at the end, behind the
        files named by a time. A runner's copy names the working folder; other
        Python files are passed over.
    """
    found = [
        path for path in folder.glob('*.py')
        if path.is_file() and _NAMED.search(path.read_text(errors='replace'))
    ]
    return sorted(
        found,
        key=lambda path:
        (not _TIME.fullmatch(path.stem), path.stat().st_mtime))


def kept_config(folder: Path) -> str:
    """Find the config kept in a working folder.

    Args:
        folder (Path): Working folder of a training.

    Returns:
        str: Path of the config; of several, of the one written last.

    Raises:
        FileNotFoundError: If the folder holds no such config.
    """
    found = kept_configs(folder)
    if not found:
        raise FileNotFoundError(
            f'the folder {folder} holds no config of a training, which a '
            'runner keeps there; name a config file, or a working folder')
    return str(found[-1])


@contextmanager
def leave_kept_config(cfg: Config) -> Iterator[None]:
    """Leave the config of a training as it is while a runner is built.

    Each runner writes its config into the working folder. A test changes
    views, pipelines, metrics or data of the config, and the next command
    would take the changes for those of the training.

    Args:
        cfg (Config): Of the test, with ``work_dir``.
    """
    path = Path(cfg.work_dir, Path(cfg.filename or '').name)
    if not path.is_file():
        yield
        return
    content, times = path.read_bytes(), path.stat()
    try:
        yield
    finally:
        # The other processes write no config.
        if is_main_process():
            draft_of(path).write_bytes(content)
            finish_file(path)
            # The times tell the config that was written last.
            os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
