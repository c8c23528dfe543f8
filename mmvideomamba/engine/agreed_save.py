"""Writing of checkpoints, for all processes of a training."""
import shutil
from pathlib import Path
from typing import Any, Callable, List, Sequence, Union

import torch
from mmengine.runner import Runner

from mmvideomamba.atomic_file import draft_of, drop_cache, finish_file
from mmvideomamba.user_error import UserError
from .vote import Vote


def agree(action: Callable[[], None], path: Union[str, Path],
          need: int) -> None:
    """Run a part of a save; a failure in any process ends all.

    Args:
        action (Callable): Run in each process.
        path (str | Path): File to write, for the message.
        need (int): Bytes of the file, for the message.

    Raises:
        UserError: If a process met an ``OSError``.
    """
    error = None
    try:
        action()
    except OSError as fault:
        error = fault
    # Also without an error: the votes of the others would wait for ever.
    if not Vote(1).settle([error is not None])[0]:
        return
    if error is None:
        raise UserError()
    folder = Path(path).parent
    try:
        space = f'{shutil.disk_usage(folder).free / 1e6:.1f} MB are free'
    except OSError:
        space = 'the free space is unknown'
    raise UserError(
        f'{path} cannot be written ({error}): it needs {need / 1e6:.1f} MB, '
        f'{space} in {folder}. All earlier checkpoints are complete: make '
        'room, then go on with --resume') from error


def write_whole(path: Union[str, Path],
                write: Callable[[str], None],
                need: int,
                fsync: bool,
                old: Sequence[str] = ()) -> None:
    """Write a file under another name, then rename the file.

    Args:
        path (str | Path): Name of the complete file.
        write (Callable): Takes the name, without the folder, to write to.
        need (int): Bytes that must be free.
        fsync (bool): Wait for the disk.
        old (Sequence[str]): Files to be removed afterwards, whose memory in
            the cache is used. Defaults to ().

    Raises:
        OSError: If the space is too little or the file cannot be written;
            the file that was there is unchanged.
    """
    draft = draft_of(path)
    try:
        draft.parent.mkdir(parents=True, exist_ok=True)
        if shutil.disk_usage(draft.parent).free < need:
            raise OSError('too little space')
        for file in old:
            drop_cache(file)
        write(draft.name)
        finish_file(path, fsync)
    except BaseException:
        # After Ctrl-C too, as a draft takes the room of a checkpoint.
        draft.unlink(missing_ok=True)
        raise


def size_of_state(runner: Runner, optimizer: bool) -> int:
    """Return the size of the tensors in a checkpoint.

    Args:
        runner (Runner): The runner of the training.
        optimizer (bool): Whether the optimizer's state is saved.

    Returns:
        int: Bytes.
    """
    states: List[Any] = [runner.model.state_dict()]
    if optimizer:
        states.append(runner.optim_wrapper.state_dict())
    size = 0
    while states:
        state = states.pop()
        if isinstance(state, torch.Tensor):
            size += state.numel() * state.element_size()
        elif isinstance(state, dict):
            states.extend(state.values())
        elif isinstance(state, (list, tuple)):
            states.extend(state)
    return size
