"""Where a model is: a local path, a published file, or the Hub."""
from pathlib import Path
from typing import Union

from .hub_file import locate, resolve_hub


def find_source(source: Union[str, Path]) -> Path:
    """Find the file or folder of a model.

    Args:
        source (str | Path): A local path, of a file, a saved folder or the
            working folder of a training (its best checkpoint); else the name
            of a published file, else an id of the Hub, 'ORGANISATION/NAME' or
            'ORGANISATION/NAME:FILE'.

    Returns:
        Path: File or folder here, perhaps in the cache of huggingface_hub.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If a file of the Hub cannot be had.
    """
    path = locate(source)
    if path.exists():
        return path
    found = resolve_hub(str(source))
    if found is None:
        raise FileNotFoundError(
            f'{source} is neither a file or folder, nor the name of a '
            'published file, nor an id of the Hub (ORGANISATION/NAME)')
    return found
