"""Downloading a file, to be read like a local file.

mmengine loads an address by ``torch.hub``, and ``torch.hub`` unpickles any
download, code included.
"""
import os
from pathlib import Path
from urllib.parse import urlparse

import torch
from mmengine.dist import barrier, get_dist_info


def download(address: str) -> Path:
    """Download a file into the cache of ``torch.hub``, or find the file there.

    In a distributed training the first process downloads, and the others
    wait; a process that finds no file then, on another host, downloads too.

    Args:
        address (str): ``http://`` or ``https://``.

    Returns:
        Path: The file in the cache.

    Raises:
        ValueError: If the address cannot be read.
    """
    path = Path(torch.hub.get_dir(), 'checkpoints',
                Path(urlparse(address).path).name)
    try:
        if get_dist_info()[0] == 0:
            _fetch(address, path)
    # After a failure as well: the other processes wait here.
    finally:
        barrier()
    # On another machine, the cache is another.
    _fetch(address, path)
    return path


def _fetch(address: str, path: Path) -> None:
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        torch.hub.download_url_to_file(
            address, str(path), progress=os.isatty(0))
    except OSError as error:
        raise ValueError(f'{address} cannot be downloaded: {error}') from error
