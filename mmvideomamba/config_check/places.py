"""Missing files, and folders without permission to write."""
import os
from pathlib import Path
from typing import Any, Iterator, List, Tuple

from mmengine.dataset import BaseDataset
from mmengine.registry import DATASETS

from mmvideomamba.checkpoints import hint_for_missing, is_hub_file, locate
from .types import find_type

_REMOTE = '://'


def _missing(place: str, path: str) -> Iterator[str]:
    """Yield a sentence for a missing local path."""
    # A colon after the second character ends the prefix of a file backend;
    # before, a drive of Windows.
    if path and _REMOTE not in path and \
            ':' not in path[2:] and not Path(path).expanduser().exists():
        where = '' if os.path.isabs(path) else f' (below {Path.cwd()})'
        yield f'{place}: {path!r} does not exist{where}'


def weight_faults(cfg: Any) -> List[str]:
    """List missing checkpoints of a config.

    Args:
        cfg (Config | dict): The config.

    Returns:
        list[str]: A sentence per checkpoint; addresses and published names
        are not tried.
    """
    return [
        fault + hint_for_missing(path) for place, path in _checkpoints(cfg)
        if not is_hub_file(path) for fault in _missing(place, path)
    ]


def download_faults(cfg: Any) -> List[str]:
    """Download the published checkpoints of a config.

    Args:
        cfg (Config | dict): The config.

    Returns:
        list[str]: A sentence per checkpoint without a download.
    """
    faults = []
    for place, path in _checkpoints(cfg):
        try:
            if is_hub_file(path):
                locate(path)
        except ValueError as error:
            faults.append(f'{place}: {error}')
    return faults


def _checkpoints(cfg: Any) -> Iterator[Tuple[str, str]]:
    """Yield place and path of each checkpoint in use."""
    found = [('load_from', cfg.get('load_from'))]
    # A checkpoint to start from or go on from replaces all others.
    if not cfg.get('load_from') and not cfg.get('resume'):
        found += _init_files(cfg.get('model'), 'model')
    yield from (pair for pair in found if isinstance(pair[1], str) and pair[1])


def _init_files(node: Any, place: str) -> Iterator[Tuple[str, Any]]:
    """Yield files of ``init_cfg``."""
    if isinstance(node, dict):
        if node.get('type') == 'Pretrained':
            yield f'{place}.checkpoint', node.get('checkpoint')
        for key, value in node.items():
            yield from _init_files(value, f'{place}.{key}')
    elif isinstance(node, (list, tuple)):
        for i, value in enumerate(node):
            yield from _init_files(value, f'{place}.{i}')


def data_faults(cfg: Any, scope: str, *loaders: str) -> List[str]:
    """List missing annotation files and data folders.

    Args:
        cfg (Config | dict): The config.
        scope (str): Default scope.
        *loaders (str): Keys of the loaders in use.

    Returns:
        list[str]: A sentence per path. Data sets with another way to join
        paths are not judged.
    """
    faults: List[str] = []
    for key in loaders:
        node, place = (cfg.get(key) or {}).get('dataset'), f'{key}.dataset'
        # Wrappers, such as RepeatDataset.
        while isinstance(node, dict) and 'dataset' in node:
            node, place = node['dataset'], f'{place}.dataset'
        if isinstance(node, dict):
            faults += _dataset_faults(node, place, scope)
    return faults


def _dataset_faults(node: dict, place: str, scope: str) -> Iterator[str]:
    kind = find_type(DATASETS, node.get('type'), scope)
    join = getattr(kind, '_join_prefix', None)
    # Other data sets join paths by rules of the class.
    if join is not BaseDataset._join_prefix or node.get('file_client_args'):
        return
    ann_file, root = node.get('ann_file', ''), node.get('data_root') or ''
    if not isinstance(ann_file, str) or _REMOTE in root:
        return
    if ann_file and not os.path.isabs(ann_file):
        if root and not Path(root).exists():
            yield from _missing(f'{place}.data_root', root)
            return
        ann_file = os.path.join(root, ann_file)
    if ann_file:
        yield from _missing(f'{place}.ann_file', ann_file)
    else:
        yield from _missing(f'{place}.data_root', root)


def work_dir_faults(work_dir: str) -> List[str]:
    """Say why a folder for logs and checkpoints cannot be written.

    Args:
        work_dir (str): The folder, maybe not made yet.

    Returns:
        list[str]: A sentence, or none.
    """
    path = Path(work_dir).absolute()
    nearest = path
    # The runner makes missing folders: the first folder that exists decides.
    while not nearest.exists() and nearest != nearest.parent:
        nearest = nearest.parent
    if not nearest.is_dir():
        problem = f'{nearest} is not a folder'
    elif not os.access(nearest, os.W_OK | os.X_OK):
        problem = f'{nearest} cannot be written by this user'
    else:
        return []
    return [f'work_dir {work_dir}: {problem}; name another by --work-dir']
