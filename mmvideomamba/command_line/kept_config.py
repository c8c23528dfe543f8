"""The config kept by a runner in the working folder of a training."""
import os
import re
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator, List

from mmengine.config import Config
from mmengine.dist import is_main_process

from mmvideomamba.atomic_file import draft_of, finish_file

# Name of the config of a runner without a config file; tools of the hosts
# build a runner of this kind in the working folder of a training.
_TIME = re.compile(r'\d{8}_\d{6}')
# Without spaces where mmengine formats no code.
_NAMED = re.compile(r'^work_dir\s*=', re.MULTILINE)


def kept_configs(folder: Path) -> List[Path]:
    """List the configs kept in a working folder.

    Args:
        folder (Path): The folder; may be missing.

    Returns:
        list[Path]: Config files, the file written last at the end, files named
        by a time first. A runner's copy names the working folder; other
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
        str: Path of the config; of several configs, the config written last.

    Raises:
        FileNotFoundError: If the folder holds no config of a training.
    """
    found = kept_configs(folder)
    if not found:
        raise FileNotFoundError(
            f'the folder {folder} holds no config of a training, which a '
            'runner keeps there; name a config file, or a working folder')
    return str(found[-1])


@contextmanager
def leave_kept_config(cfg: Config) -> Iterator[None]:
    """Keep the stored config of a training while another runner is built.

    Each runner writes a config into the working folder. A test changes views,
    pipelines, metrics or data of the config, and the next command would take
    the changed config for the config of the training.

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
            # ``kept_configs`` finds the config written last by the times.
            os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
