"""The files published by the paper's authors, by name.

``published_files.json`` next to this module is the table: a row a file.
"""
import difflib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Optional

REPOSITORY = 'OpenGVLab/VideoMamba'
# Folder of the files to start from, in recipes.
FOLDER = 'checkpoints'
# The page of the weights is not known here.
LICENCE = 'Apache-2.0 (code); weights: not stated here'
_ARCHS = dict(t16='tiny', s16='small', m16='middle', b16='base')
_START = 'videomamba_'


@dataclass(frozen=True)
class PublishedFile:
    """A published file.

    Args:
        name (str): Name of the file in the repository.
        config (str, optional): Our recipe of the training, below the folder
            of mim, as 'configs/...'; None where no recipe exists.
        task (str): 'image-classification', 'video-classification',
            'video-text-retrieval', or 'feature-extraction' for a backbone
            without a head.
        data (str): Data set or corpus of the training.
        accuracy (dict[str, float]): Published numbers in percent, by data set
            and metric; empty where none are published.
        frames (int): Frames of a clip, 1 for images.
        size (int): Height and width of the frames, in pixels.
        test_config (str, optional): Recipe for a test of the file; None for
            a file without a test.
        note (str): A caveat, or the reason for no recipe. Defaults to ''.
        licence (str): As far as known. Defaults to ``LICENCE``.
    """
    name: str
    config: Optional[str]
    task: str
    data: str
    accuracy: Dict[str, float]
    frames: int
    size: int
    test_config: Optional[str]
    note: str = ''
    licence: str = LICENCE

    @property
    def arch(self) -> str:
        """Size of the backbone, as ``arch`` of ``VideoMamba``."""
        return _ARCHS[self.name.split('_')[1]]

    @property
    def address(self) -> str:
        """Address of the download."""
        return f'https://huggingface.co/{REPOSITORY}/resolve/main/{self.name}'


def _read_table() -> Dict[str, PublishedFile]:
    """Read the table; ``test_config`` is ``config`` where not given."""
    path = Path(__file__).with_name('published_files.json')
    rows = json.loads(path.read_text(encoding='utf-8'))
    return {
        name: PublishedFile(name, **{
            'test_config': row['config'],
            **row
        })
        for name, row in rows.items()
    }


PUBLISHED: Dict[str, PublishedFile] = _read_table()


def find_published(path: str) -> Optional[PublishedFile]:
    """Find the published file of a name.

    Args:
        path (str): Name of a file, with or without '.pth', alone, below the
            folder ``checkpoints`` as in recipes, or after the prefix
            'OpenGVLab/VideoMamba:'.

    Returns:
        PublishedFile, optional: None for a file in another folder, and for a
        name of no published file.
    """
    folder, _, name = path.removeprefix(f'{REPOSITORY}:').rpartition('/')
    if folder not in ('', FOLDER, f'./{FOLDER}'):
        return None
    return PUBLISHED.get(name) or PUBLISHED.get(f'{name}.pth')


def nearest_names(name: str) -> List[str]:
    """List the published names most like another.

    Args:
        name (str): Name of a file, with or without '.pth'.

    Returns:
        list[str]: At most three, the nearest first.
    """
    return difflib.get_close_matches(
        f'{name.removesuffix(".pth")}.pth', PUBLISHED, n=3)


def published(name: str) -> PublishedFile:
    """Look up a published file.

    Args:
        name (str): See ``find_published``.

    Returns:
        PublishedFile: The row of the table.

    Raises:
        ValueError: If no published file has the name; the message has the
            nearest names.
    """
    found = find_published(name)
    if found is None:
        raise ValueError(f'{name!r} {_unknown(name)}')
    return found


def _unknown(name: str) -> str:
    """Name the nearest published files."""
    near = nearest_names(name.rpartition('/')[2].rpartition(':')[2])
    hint = f'; the nearest are {", ".join(near)}' if near else ''
    return (f'is none of the {len(PUBLISHED)} published files of '
            f'{REPOSITORY}{hint}')


def hint_for_missing(path: str) -> str:
    """Explain a missing file by the published files.

    Args:
        path (str): Path of a missing file.

    Returns:
        str: End of a sentence, '' for a name unlike published ones.
    """
    name = Path(path).name
    if name in PUBLISHED:
        return f'; the name alone, {name}, stands for the published file'
    if name.startswith(_START) and nearest_names(name):
        return f'; it {_unknown(name)}'
    return ''
