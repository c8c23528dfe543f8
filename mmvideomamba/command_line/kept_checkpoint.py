"""The best and the last checkpoint of a training, by these words."""
from pathlib import Path

from mmengine.config import Config
from mmengine.runner import find_latest_checkpoint

WORDS = ('best', 'last')


def kept_checkpoint(name: str, cfg: Config) -> str:
    """Find the checkpoint in the working folder of a training.

    Args:
        name (str): 'best' for the file of ``save_best``, 'last' for the file
            saved last; any other name is returned unchanged, and so is the
            name of a file.
        cfg (Config): With ``work_dir`` and the checkpoint hook of the
            training.

    Returns:
        str: Path of the file.

    Raises:
        FileNotFoundError: If the folder holds no such file.
        ValueError: If the folder holds several best files.
    """
    if name not in WORDS or Path(name).exists():
        return name
    work_dir = Path(cfg.work_dir)
    hook = (cfg.get('default_hooks') or {}).get('checkpoint') or {}
    if name == 'last':
        last = find_latest_checkpoint(str(work_dir))
        if last is None:
            raise FileNotFoundError(
                f'{work_dir} names no last checkpoint; give the --work-dir '
                'of the training, or the path of a checkpoint')
        return last
    # The hook makes a folder for each training.
    out_dir = hook.get('out_dir')
    folder = Path(out_dir, work_dir.name) if out_dir else work_dir
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
