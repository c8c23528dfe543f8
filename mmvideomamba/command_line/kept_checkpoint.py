"""The best and the last checkpoint of a training, by these words."""
import logging
from pathlib import Path
from typing import Optional

from mmengine.config import Config
from mmengine.logging import print_log

from mmvideomamba.checkpoints.newest import TEMPLATES, newest_checkpoint

WORDS = ('best', 'last')


def kept_checkpoint(name: str, cfg: Config) -> str:
    """Find the checkpoint in the working folder of a training.

    Args:
        name (str): 'best' for the file of ``save_best``, 'last' for the
            newest complete file, see ``newest_checkpoint``; any other name is
            returned unchanged, and so is the name of a file.
        cfg (Config): With ``work_dir`` and the checkpoint hook of the
            training.

    Returns:
        str: Path of the file.

    Raises:
        FileNotFoundError: If the folder holds no such file, or for 'last'
            damaged ones only.
        ValueError: If the folder holds several best files.
    """
    if name not in WORDS or Path(name).exists():
        return name
    work_dir = Path(cfg.work_dir)
    hook = (cfg.get('default_hooks') or {}).get('checkpoint') or {}
    # The hook makes a folder for each training.
    out_dir = hook.get('out_dir')
    folder = Path(out_dir, work_dir.name) if out_dir else work_dir
    if name == 'last':
        template = hook.get('filename_tmpl')
        return _last(work_dir, folder, template)
    key = hook.get('save_best')
    known = isinstance(key, str) and key != 'auto'
    start = f'best_{key}_'.replace('/', '_') if known else 'best_'
    found = sorted(str(path) for path in folder.glob(f'{start}*.pth'))
    if len(found) > 1:
        raise ValueError(f'{folder} holds several best checkpoints, name one '
                         f'of them: {", ".join(found)}')
    if not found:
        raise FileNotFoundError(
            f'{folder} holds no {start}*.pth; the config has save_best='
            f"{key!r}. Give the --work-dir of the training, or 'last', or "
            'the path of a checkpoint')
    return found[0]


def _last(work_dir: Path, folder: Path, template: Optional[str]) -> str:
    """Find the newest complete checkpoint, and warn about others."""
    templates = (template, *TEMPLATES) if template else TEMPLATES
    newest = newest_checkpoint(work_dir, folder, templates)
    if newest.path is None:
        faults = ''.join(f' ({fault})' for fault in newest.passed_over)
        raise FileNotFoundError(
            f'{folder} holds no last checkpoint{faults}; give the --work-dir '
            'of the training, or the path of a checkpoint')
    for fault in newest.passed_over:
        print_log(f'Passed over: {fault}. The last one is {newest.path}.',
                  'current', logging.WARNING)
    return str(newest.path)
