"""Folders of Hugging Face: one file of weights, or shards and an index."""
import re
from pathlib import Path
from typing import Any, Dict, Union

from mmvideomamba.json_file import read_json
from .reader import read_checkpoint

# In the order of the search.
WEIGHT_FILES = ('model.safetensors', 'pytorch_model.bin',
                'open_clip_model.safetensors', 'open_clip_pytorch_model.bin')
INDEX = '.index.json'
_HUB = re.compile(r'(open_clip_)?(pytorch_)?model(-\d{5}-of-\d{5})?'
                  r'\.(safetensors|bin)(\.index\.json)?')
_SHARD = re.compile(r'(.*)-\d{5}-of-(\d{5})(\.safetensors|\.bin)')


def is_hub_name(name: str) -> bool:
    """Tell whether a file has the name that Hugging Face gives to weights.

    Args:
        name (str): Name of a file, without folder.

    Returns:
        bool: Whether a ``config.json`` in the folder belongs to the file.
    """
    return _HUB.fullmatch(name) is not None


def find_weights(path: Union[str, Path]) -> Path:
    """Find the weights of a folder; a file is returned unchanged.

    Args:
        path (str | Path): A file, or a folder as ``save_pretrained`` writes.

    Returns:
        Path: A file of weights or an index of shards; the folder itself where
        neither is found.

    Raises:
        ValueError: If a folder holds shards without the index.
    """
    path = Path(path).expanduser()
    if not path.is_dir():
        return path
    for name in WEIGHT_FILES:
        for file in (path / name, path / f'{name}{INDEX}'):
            if file.is_file():
                return file
    # Shards without an index tell nothing of missing tensors.
    for file in sorted(path.iterdir()):
        shard = _SHARD.fullmatch(file.name)
        if shard:
            raise ValueError(
                f'{path} holds shards of a model, such as {file.name}, but '
                f'not their index {shard[1]}{shard[3]}{INDEX}: download it '
                'too')
    return path


def read_weights(path: Union[str, Path],
                 map_location: Any = 'cpu',
                 **kwargs: Any) -> Dict[str, Any]:
    """Read a file, an index with all shards, or a folder with either.

    Args:
        path (str | Path): See ``find_weights``.
        map_location (Any): Device of the tensors. Defaults to 'cpu'.
        **kwargs: Further arguments of ``read_file``.

    Returns:
        dict: Flat or wrapped weights, see ``unwrap``.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If a file cannot be used, is one shard of several, or
            weights or a shard are missing.
    """
    file = find_weights(path)
    if file.is_dir() and (file / 'config.json').is_file():
        raise ValueError(
            f'{file} holds a config.json, but none of {list(WEIGHT_FILES)} '
            f'and no index of shards: download the weights too, or name the '
            'file that has them')
    if file.name.endswith(INDEX):
        return _read_shards(file, map_location, **kwargs)
    shard = _SHARD.fullmatch(file.name)
    if shard and int(shard[2]) > 1:
        raise ValueError(f'{file} is one of the {int(shard[2])} shards of a '
                         f'model: name the folder {file.parent} instead')
    return read_checkpoint(file, map_location, **kwargs)


def _read_shards(index: Path, map_location: Any,
                 **kwargs: Any) -> Dict[str, Any]:
    """Read all shards named by an index."""
    content = read_json(index, 'index of shards', 'get it anew')
    places = content.get('weight_map') if isinstance(content, dict) else None
    # A file name with a folder could lead out of the folder of the index.
    if not isinstance(places, dict) or not all(
            isinstance(name, str) and Path(name).name == name
            for name in places.values()):
        raise ValueError(f'{index} is not an index of shards: it needs a '
                         'weight_map from tensors to file names; get it anew')
    shards = sorted(set(places.values()))
    absent = [name for name in shards if not (index.parent / name).is_file()]
    if absent:
        raise ValueError(f'{index} names {len(shards)} shards, but '
                         f'{", ".join(absent)} is missing in {index.parent}: '
                         'download it too')
    weights: Dict[str, Any] = {}
    for name in shards:
        weights.update(
            read_checkpoint(index.parent / name, map_location, **kwargs))
    lost = [key for key in places if key not in weights]
    if lost:
        raise ValueError(f'{index} names {len(lost)} tensors, such as '
                         f'{lost[0]}, that {places[lost[0]]} lacks: index and '
                         'shards are of different models; get them anew')
    return weights
