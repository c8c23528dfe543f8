"""Shards of pictures with captions, written for tests."""
import io
import tarfile
from pathlib import Path
from typing import Dict, Iterable, List

import cv2
import numpy as np


def picture(value: int) -> bytes:
    """Return a PNG of 4 x 6 pixels of one grey level."""
    image = np.full((4, 6, 3), value, np.uint8)
    return cv2.imencode('.png', image)[1].tobytes()


def write_shard(path: Path, samples: List[Dict[str, bytes]]) -> None:
    """Write samples; the parts of a sample are named by ending."""
    with tarfile.open(path, 'w') as file:
        for number, parts in enumerate(samples):
            for ending, content in parts.items():
                member = tarfile.TarInfo(f'{path.stem}-{number:03d}{ending}')
                member.size = len(content)
                file.addfile(member, io.BytesIO(content))


def write_members(path: Path, names: Iterable[str]) -> None:
    """Write files of a single byte."""
    with tarfile.open(path, 'w') as file:
        for name in names:
            member = tarfile.TarInfo(name)
            member.size = 1
            file.addfile(member, io.BytesIO(b'x'))


def pairs(*values: int) -> List[Dict[str, bytes]]:
    """Return pictures with the grey level as caption."""
    return [{'.png': picture(v), '.txt': b'grey %d' % v} for v in values]


def cut_off(path: Path, samples: int) -> None:
    """Let a shard end within the picture after some pairs."""
    with tarfile.open(path) as file:
        end = file.getmembers()[2 * samples].offset_data + 10
    path.write_bytes(path.read_bytes()[:end])
