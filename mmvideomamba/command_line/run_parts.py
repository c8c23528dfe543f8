"""Configs of a training only, or of a test only."""
from typing import Iterable

from mmengine.config import Config

PARTS = dict(
    train=('train_dataloader', 'train_cfg', 'optim_wrapper'),
    val=('val_dataloader', 'val_cfg', 'val_evaluator'),
    test=('test_dataloader', 'test_cfg', 'test_evaluator'))
_REMEDY = dict(
    train='it describes a test; run it with tools/test.py, and train with '
    'the recipe that made the checkpoint',
    test='it describes a training, such as a pretraining, without scores of '
    'its own; test the model that is fine-tuned from its checkpoint, with '
    'the config of that one')


def require_run(cfg: Config, run: str, options: Iterable[str] = ()) -> None:
    """Refuse a config without the parts of a training or a test.

    Args:
        cfg (Config): The config.
        run (str): 'train', 'test', or 'val' for the validation during a
            training; the validation may be missing as a whole.
        options (Iterable[str]): Keys of ``--cfg-options``; may add the missing
            parts. Defaults to ().

    Raises:
        ValueError: If a part is missing.
    """
    given = {key.split('.')[0] for key in options}
    parts = PARTS[run]
    lacking = [
        key for key in parts if cfg.get(key) is None and key not in given
    ]
    whole = len(lacking) == len(parts)
    # A config without any part of a validation has none.
    if not lacking or whole and run == 'val':
        return
    remedy = _REMEDY[run] if whole else (
        f'{run} needs {", ".join(parts)}; add the rest')
    if run == 'val':
        remedy += ', or leave the validation out with --no-validate'
    raise ValueError(f'{cfg.filename or "the config"} has no '
                     f'{" and no ".join(lacking)}: {remedy}')
