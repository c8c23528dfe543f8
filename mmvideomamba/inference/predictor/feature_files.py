"""Files of features: a folder for temporal detection, or a table."""
import io
import json
import os
import shutil
import zipfile
import zlib
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np

from mmvideomamba.atomic_file import draft_of, finish_file, write_file
from mmvideomamba.json_file import read_json
from .features import Features
from .tables import pyarrow_module

SETTINGS = 'feature_settings.json'
TABLES = ('.npz', '.parquet')
_REMEDY = 'remove the folder, or choose another'


def weights_digest(model: Any) -> int:
    """Return a checksum of weights.

    Args:
        model (nn.Module): The model.

    Returns:
        int: CRC-32 of all weights.
    """
    found = 0
    for name, value in sorted(model.state_dict().items()):
        found = zlib.crc32(name.encode(), found)
        array = value.detach().cpu().float().contiguous().numpy()
        found = zlib.crc32(array.tobytes(), found)
    return found


def file_names(items: Sequence[str]) -> List[str]:
    """Name the results of files.

    Args:
        items (Sequence[str]): Paths of videos.

    Returns:
        list[str]: The paths from the folder common to all, without endings.

    Raises:
        ValueError: If two files would share a name.
    """
    paths = [Path(os.path.abspath(item)) for item in dict.fromkeys(items)]
    root = os.path.commonpath([path.parent for path in paths])
    found: Dict[str, str] = {}
    # A file given twice is no conflict, so each file counts once.
    for item, path in zip(dict.fromkeys(items), paths):
        name = path.relative_to(root).with_suffix('').as_posix()
        if name in found:
            raise ValueError(f'{found[name]} and {item} would both be written '
                             f'to files named {name}; rename one, or give '
                             'them different folders')
        found[name] = item
    names = {item: name for name, item in found.items()}
    return [names[item] for item in items]


def _stamp(path: str) -> Optional[List[int]]:
    """Return size and time of a file, to notice another of the name."""
    try:
        state = os.stat(path)
    except OSError:
        return None
    return [state.st_size, state.st_mtime_ns]


class FeatureFolder:
    """A folder with NAME.npy and NAME.json for each video.

    NAME.npy is written last, and stands for a finished video.

    Args:
        folder (Path): The folder; made if there is none.
        settings (dict): Level, windows, model.

    Raises:
        ValueError: If the folder holds features of other settings.
    """

    def __init__(self, folder: Path, settings: Dict[str, Any]) -> None:
        self.folder = folder
        path = folder / SETTINGS
        if path.exists():
            known = read_json(path, 'settings', _REMEDY)
            wrong = sorted(k for k in {
                **known,
                **settings
            } if known.get(k) != settings.get(k))
            if wrong:
                texts = ', '.join(f'{k} {known.get(k)!r} and not '
                                  f'{settings.get(k)!r}' for k in wrong)
                raise ValueError(f'{folder} holds features of other settings '
                                 f'({texts}); {_REMEDY}')
        folder.mkdir(parents=True, exist_ok=True)
        write_file(path, json.dumps(settings, indent=1))

    def paths(self, name: str) -> Tuple[Path, Path]:
        """Return the files of a video.

        Args:
            name (str): From ``file_names``.

        Returns:
            tuple[Path, Path]: The array and the description.
        """
        return self.folder / f'{name}.npy', self.folder / f'{name}.json'

    def is_done(self, name: str, item: str) -> bool:
        """Tell whether the features of a video are there.

        Args:
            name (str): From ``file_names``.
            item (str): Path of the video.

        Returns:
            bool: False also if the video has changed since.
        """
        array, description = self.paths(name)
        # Half of a pair is left by a killed run.
        if not array.exists() or not description.exists():
            return False
        known = read_json(description, 'description', 'remove it')
        return (known.get('input') == os.path.abspath(item)
                and known.get('file') == _stamp(item))

    def save(self, name: str, one: Features, more: Dict[str, Any]) -> None:
        """Write the features of a video.

        Args:
            name (str): From ``file_names``.
            one (Features): Of the video.
            more (dict): Further entries of the description.
        """
        array, description = self.paths(name)
        array.parent.mkdir(parents=True, exist_ok=True)
        array.unlink(missing_ok=True)  # of an older video of the name
        times = one.times
        values = dict(
            input=os.path.abspath(one.input),
            file=_stamp(one.input),
            fps=one.fps,
            frames=one.frames,
            duration=one.frames / one.fps if one.fps else None,
            shape=list(one.features.shape),
            **more,
            times=None if times is None else times.round(6).tolist())
        # The array last: an array stands for a finished video.
        write_file(description, json.dumps(values))
        content = io.BytesIO()
        np.save(content, one.features)
        write_file(array, content.getvalue())

    def read(self, name: str) -> Tuple[np.ndarray, Dict[str, Any]]:
        """Read the features of a video.

        Args:
            name (str): From ``file_names``.

        Returns:
            tuple[np.ndarray, dict]: The features (n, c), and the description.
        """
        array, description = self.paths(name)
        # A pickled array could run code.
        return (np.load(array, allow_pickle=False),
                read_json(description, 'description', 'remove it'))


def _write_npz(path: Path, folder: FeatureFolder, names: List[str]) -> None:
    """Write an .npz file, one array at a time."""
    # By hand, as np.savez wants all arrays in memory.
    with zipfile.ZipFile(draft_of(path), 'w', allowZip64=True) as file:
        for name in names:
            features, values = folder.read(name)
            arrays = {name: features}
            if values['times'] is not None:
                arrays[f'{name}.times'] = np.array(values['times'])
            for key, array in arrays.items():
                with file.open(f'{key}.npy', 'w', force_zip64=True) as out:
                    np.lib.format.write_array(out, array, allow_pickle=False)


def _write_parquet(path: Path, folder: FeatureFolder,
                   names: List[str]) -> None:
    """Write a Parquet file, one video at a time."""
    arrow: Any = pyarrow_module('pyarrow')
    parquet: Any = pyarrow_module('pyarrow.parquet')
    schema = arrow.schema(
        dict(
            input=arrow.string(),
            name=arrow.string(),
            row=arrow.int64(),
            start=arrow.float64(),
            end=arrow.float64(),
            features=arrow.list_(arrow.float32())).items())
    with parquet.ParquetWriter(str(draft_of(path)), schema) as writer:
        for name in names:
            features, values = folder.read(name)
            n = len(features)
            times = values['times'] or [[None, None]] * n
            writer.write_table(
                arrow.table(
                    dict(
                        input=[values['input']] * n,
                        name=[name] * n,
                        row=range(n),
                        start=[pair[0] for pair in times],
                        end=[pair[1] for pair in times],
                        features=list(features)),
                    schema=schema))


def write_table(path: Path, folder: FeatureFolder, names: List[str]) -> None:
    """Gather the files of a folder into a table.

    Args:
        path (Path): .npz, with the arrays NAME and NAME.times (n, 2), or
            .parquet, with a line for each row.
        folder (FeatureFolder): The files.
        names (list[str]): The videos.
    """
    write = _write_parquet if path.suffix == '.parquet' else _write_npz
    try:
        write(path, folder, names)
        finish_file(path)
    finally:
        draft_of(path).unlink(missing_ok=True)


def remove_parts(folder: FeatureFolder) -> None:
    """Remove the files that a table was made from.

    Args:
        folder (FeatureFolder): Of the table.
    """
    shutil.rmtree(folder.folder)
