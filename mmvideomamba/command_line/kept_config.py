"""The config that a runner keeps in the working folder of a training."""
from pathlib import Path
from typing import List


def kept_configs(folder: Path) -> List[Path]:
    """List the configs kept in a working folder.

    Args:
        folder (Path): The folder, which may be missing.

    Returns:
        list[Path]: Config files, the one written last at the end. A runner's
        copy names the working folder; other Python files are passed over.
    """
    found = [
        path for path in folder.glob('*.py')
        if '\nwork_dir = ' in path.read_text(errors='replace')
    ]
    return sorted(found, key=lambda path: path.stat().st_mtime)


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
