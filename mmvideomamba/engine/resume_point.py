"""The choice of the checkpoint to resume a training from."""
from pathlib import Path
from typing import Any, List, Optional, Sequence

from mmengine.dist import broadcast_object_list, is_main_process
from mmengine.runner import Runner

from mmvideomamba.checkpoints.newest import newest_checkpoint
from mmvideomamba.checkpoints.reader import check_file
from mmvideomamba.user_error import UserError

# Key of a config: load_from of a training that resumes if it can. With
# ``resume`` the host takes load_from for the checkpoint to resume from.
FIRST_WEIGHTS = 'first_load_from'


def choose_checkpoint(runner: Runner, folder: str,
                      templates: Sequence[str]) -> Optional[str]:
    """Choose the checkpoint of a resumed training, the same on all processes.

    Args:
        runner (Runner): The runner; ``--resume FILE`` has set its
            ``_load_from``.
        folder (str): Folder of the checkpoints.
        templates (Sequence[str]): Names of checkpoints, see
            ``newest_checkpoint``.

    Returns:
        str, optional: The given file, else the newest complete file in the
        folder; None if the folder holds no checkpoint.

    Raises:
        UserError: If the given file, or each file in the folder, is damaged.
    """
    outcome: List[Any] = [None, '']
    if is_main_process():
        try:
            if runner._load_from is not None:
                outcome[0] = _check(str(runner._load_from))
            else:
                outcome[0] = _find(runner, folder, templates)
        except (ValueError, OSError) as error:
            outcome[1] = str(error)
    broadcast_object_list(outcome)
    path, fault = outcome
    if fault:
        raise UserError(fault if is_main_process() else '')
    return path


def _check(given: str) -> str:
    """Refuse a damaged file; name the newest complete file of the folder."""
    # Files of object storage are fetched by the host.
    if '://' in given:
        return given
    try:
        check_file(given)
    except (ValueError, OSError) as error:
        newest = newest_checkpoint(Path(given).expanduser().parent).path
        if newest is None:
            raise
        raise ValueError(f'{error}. The newest complete checkpoint next to it '
                         f'is {newest}') from error
    return given


def _find(runner: Runner, folder: str,
          templates: Sequence[str]) -> Optional[str]:
    """Find the newest complete checkpoint, and warn about others."""
    newest = newest_checkpoint(runner.work_dir, folder, templates)
    if newest.path is None:
        if newest.passed_over:
            raise ValueError(
                f'no complete checkpoint to resume from is in {folder}: '
                f'{"; ".join(newest.passed_over)}. To train from the '
                'beginning, leave out --resume')
        return None
    for fault in newest.passed_over:
        runner.logger.warning(
            f'Passed over: {fault}. The training goes on from {newest.path}.')
    return str(newest.path)
