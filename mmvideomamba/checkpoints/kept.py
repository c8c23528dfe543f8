"""The best checkpoint in the working folder of a training."""
import logging
from pathlib import Path
from typing import (Any, Dict, List, Mapping, NamedTuple, Optional, Sequence,
                    Tuple, Union)

import torch
from mmengine.logging import print_log

from .hub_folder import find_weights
from .newest import LAST, TEMPLATES, fault_of, newest_checkpoint
from .reader import read_file

_BEST = 'best_ckpt'


class Training(NamedTuple):
    """The record of a training in a checkpoint.

    Args:
        time (str): Of the save, in an order of letters; '' if unknown.
        best (dict[str, str]): Name of the best file by figure, in the order
            of the figures; the figure is '' for a training with a single one.
        scores (dict[str, float]): Best score by figure.
    """
    time: str
    best: Dict[str, str]
    scores: Dict[str, float]


def read_training(path: Path) -> Optional[Training]:
    """Read the record of the training out of a checkpoint.

    Args:
        path (Path): The file.

    Returns:
        Training, optional: None for a file that cannot be read, or without
        the record.
    """
    try:
        # Tensors are mapped, not read.
        file = torch.load(path, 'cpu', weights_only=True, mmap=True)
    except Exception:  # torch has a class for each fault
        # Files of the old format cannot be mapped.
        try:
            file = read_file(path)
        except (ValueError, OSError):
            return None
    if not isinstance(file, Mapping):
        return None
    meta, hub = file.get('meta'), file.get('message_hub')
    if not isinstance(meta, Mapping) or not isinstance(hub, Mapping):
        return None
    info: Mapping[str, Any] = hub.get('runtime_info') or {}
    best = {
        str(key)[len(_BEST) + 1:]: Path(str(value)).name
        for key, value in info.items() if str(key).startswith(_BEST) and value
    }
    scores = {
        key: float(info[place])
        for key in best
        for place in [f'best_score_{key}' if key else 'best_score']
        if isinstance(info.get(place), (int, float))
    }
    return Training(str(meta.get('time') or ''), best, scores)


def best_files(folder: Path, figure: Optional[str] = None) -> List[Path]:
    """List the best checkpoints of all trainings in a folder.

    Args:
        folder (Path): The folder.
        figure (str, optional): As in ``save_best``, such as 'acc/top1'.
            Defaults to None, any.

    Returns:
        list[Path]: Files, in the order of the names.
    """
    return sorted(folder.glob(_pattern(figure)))


def _pattern(figure: Optional[str]) -> str:
    """Return the pattern of the names of best checkpoints."""
    # mmengine writes a slash in the name of a figure as an underscore.
    return f'best_{figure}_*.pth'.replace('/', '_') if figure else 'best_*.pth'


def find_best(
    work_dir: Union[str, Path],
    folder: Union[str, Path, None] = None,
    figure: Optional[str] = None,
    templates: Sequence[str] = TEMPLATES,
) -> Tuple[Optional[Path], str]:
    """Find the best checkpoint of the newest training in a folder.

    The newest file in the folder tells the best one: ``SafeCheckpointHook``
    keeps the name of the best file in each checkpoint.

    Args:
        work_dir (str | Path): Working folder, with ``last_checkpoint``.
        folder (str | Path, optional): Folder of the checkpoints. Defaults to
            None, the working folder.
        figure (str, optional): Best by this figure of the validation.
            Defaults to None: by the first of the training.
        templates (Sequence[str]): Names of regular checkpoints. Defaults to
            those of mmengine.

    Returns:
        tuple[Path | None, str]: The file, and a remark; without a best file
        None, and the reason.

    Raises:
        ValueError: If the best file is damaged, or if there are several best
            files and none can be read.
    """
    path, remark = _find_best(work_dir, folder, figure, templates)
    if path and fault_of(path):
        raise ValueError(f'{fault_of(path)}. The file is {remark}; name '
                         f'another checkpoint of {path.parent}')
    return path, remark


def _find_best(work_dir: Union[str, Path], folder: Union[str, Path, None],
               figure: Optional[str],
               templates: Sequence[str]) -> Tuple[Optional[Path], str]:
    """Find the best checkpoint, maybe damaged, and a remark."""
    newest = newest_checkpoint(work_dir, folder, templates).path
    folder = newest.parent if newest and not folder else Path(folder
                                                              or work_dir)
    found = best_files(folder, figure)
    if not found:
        return None, f'it holds no {_pattern(figure)}'
    # Files of other figures may be of a newer training.
    every = [path for path in (newest, *best_files(folder)) if path]
    told = [(record, path) for path in every
            for record in [read_training(path)] if record]
    if not told:
        if len(found) > 1:
            raise ValueError(
                f'{folder} holds several best checkpoints, and no file tells '
                'which one is the best now; name one of them: '
                f'{", ".join(map(str, found))}')
        return found[0], 'the only best checkpoint there'
    # mmengine writes year to second, so texts are ordered as the times.
    record, source = max(told, key=lambda pair: pair[0].time)
    return _named_by(record, source, found, figure)


def _named_by(record: Training, source: Path, found: Sequence[Path],
              figure: Optional[str]) -> Tuple[Optional[Path], str]:
    """Choose the best file by the record of the newest training."""
    for key, name in record.best.items():
        for path in found:
            if path.name != name or (figure and key not in ('', figure)):
                continue
            score = record.scores.get(key)
            remark = ('the best of its training' if score is None else
                      f'the best of its training, {score:.4f}')
            others = [x.name for x in found if x != path]
            if others:
                remark += (f' by {source.name}; left aside: '
                           f'{", ".join(others)}')
            return path, remark
    gone = ', '.join(record.best.values())
    return None, (f'the newest training there, of {source.name}, '
                  f'{f"names {gone} as the best" if gone else "has no best"}; '
                  'of another training or figure: '
                  f'{", ".join(path.name for path in found)}')


def is_training_folder(path: Path) -> bool:
    """Tell whether a folder holds checkpoints of a training.

    Args:
        path (Path): Any path.

    Returns:
        bool: False for a file, and for a folder of a saved model.
    """
    # config.json tells of a saved model, or of a folder of the Hub.
    if not path.is_dir() or (path / 'config.json').is_file():
        return False
    starts = [template.partition('{')[0] for template in TEMPLATES]
    return ((path / LAST).is_file() or any(
        next(path.glob(f'{start}*.pth'), None)
        for start in ('best_', *starts))) and find_weights(path) == path


def checkpoint_in(folder: Path) -> Path:
    """Choose the checkpoint of a training to work with, and say so.

    Args:
        folder (Path): Working folder of a training.

    Returns:
        Path: The best checkpoint, else the last one.

    Raises:
        FileNotFoundError: If there is no complete checkpoint.
        ValueError: See ``find_best``.
    """
    best, remark = find_best(folder)
    if best is not None:
        print_log(f'{folder}: {best.name}, {remark}', 'current')
        return best
    last = find_last(folder)
    print_log(f'{folder}: {last.name}, the last checkpoint; {remark}',
              'current', logging.WARNING)
    return last


def find_last(work_dir: Path,
              folder: Optional[Path] = None,
              templates: Sequence[str] = TEMPLATES) -> Path:
    """Find the newest complete checkpoint, and warn about others.

    Args:
        work_dir (Path): Working folder of a training.
        folder (Path, optional): Folder of the checkpoints. Defaults to None,
            the working folder.
        templates (Sequence[str]): Names of regular checkpoints. Defaults to
            those of mmengine.

    Returns:
        Path: The file.

    Raises:
        FileNotFoundError: If there is none, or damaged ones only.
    """
    newest = newest_checkpoint(work_dir, folder, templates)
    if newest.path is None:
        faults = ''.join(f' ({fault})' for fault in newest.passed_over)
        raise FileNotFoundError(
            f'{folder or work_dir} holds no last checkpoint{faults}; give the '
            'working folder (--work-dir) of the training, or the path of a '
            'checkpoint')
    for fault in newest.passed_over:
        print_log(f'Passed over: {fault}. The last one is {newest.path}.',
                  'current', logging.WARNING)
    return newest.path
