"""The checkpoints of a training named 'best' and 'last'."""
from pathlib import Path

from mmengine.config import Config
from mmengine.logging import print_log

from mmvideomamba.checkpoints import locate
from mmvideomamba.checkpoints.kept import find_best, find_last
from mmvideomamba.checkpoints.newest import TEMPLATES

WORDS = ('best', 'last')


def kept_checkpoint(name: str, cfg: Config) -> str:
    """Find the checkpoint in the working folder of a training.

    Args:
        name (str): 'best' for the file of ``save_best``, 'last' for the
            newest complete file, see ``newest_checkpoint``; the working
            folder of a training for the best file inside, see
            ``checkpoint_in``. Any other name is returned unchanged, and so is
            the name of a file.
        cfg (Config): With ``work_dir`` and the checkpoint hook of the
            training.

    Returns:
        str: Path of the file.

    Raises:
        FileNotFoundError: If the folder holds no best or last checkpoint, or
            for 'last' only damaged checkpoints.
        ValueError: If the best file is damaged, or if the folder holds
            several best files and no record of the present best.
    """
    if Path(name).is_dir():
        return str(locate(name))
    # A file may have the name best or last.
    if name not in WORDS or Path(name).exists():
        return name
    work_dir = Path(cfg.work_dir)
    hook = (cfg.get('default_hooks') or {}).get('checkpoint') or {}
    # The hook makes a folder for each training.
    out_dir = hook.get('out_dir')
    folder = Path(out_dir, work_dir.name) if out_dir else work_dir
    template = hook.get('filename_tmpl')
    templates = (template, *TEMPLATES) if template else TEMPLATES
    if name == 'last':
        return str(find_last(work_dir, folder, templates))
    key = hook.get('save_best')
    figure = key if isinstance(key, str) and key != 'auto' else None
    path, remark = find_best(work_dir, folder, figure, templates)
    if path is None:
        raise FileNotFoundError(
            f'{folder}: {remark}. The config has save_best={key!r}. Give the '
            "--work-dir of the training, or 'last', or the path of a "
            'checkpoint')
    print_log(f'{path}: {remark}', 'current')
    return str(path)
