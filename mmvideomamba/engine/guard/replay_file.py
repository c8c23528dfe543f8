"""File for the repetition of a training step."""
from contextlib import suppress
from pathlib import Path
from typing import Any, Dict, List, Sequence, Tuple

import torch
from mmengine.config import Config
from torch import nn

from mmvideomamba.atomic_file import draft_of, finish_file
from mmvideomamba.checkpoints.reader import read_checkpoint
from .plain_data import from_plain, left_out, to_plain
from .replay import Precision, Step

FORMAT = 'mmvideomamba replay 1'


def write_replay(path: Path, model: nn.Module, config: Config,
                 steps: Sequence[Step], precision: Precision,
                 report: str) -> None:
    """Write a file, whole or not at all.

    Args:
        path (Path): Of the file.
        model (nn.Module): Not wrapped, with the weights before the steps.
        config (Config): Of the training.
        steps (Sequence[Step]): Steps up to an update.
        precision (Precision): Of the training.
        report (str): Findings of the training.

    Raises:
        OSError: If the file cannot be written; nothing of it is left.
    """
    content = dict(
        format=FORMAT,
        torch=str(torch.__version__),
        config=to_plain(config.to_dict()),
        training=model.training,
        precision=vars(precision),
        report=report,
        state_dict={
            k: v.cpu()
            for k, v in model.state_dict().items()
        },
        steps=[_plain_step(step) for step in steps])
    draft = draft_of(path)
    try:
        torch.save(content, draft)
        finish_file(path)
    except (OSError, RuntimeError) as error:
        with suppress(OSError):
            draft.unlink()
        # torch names a full disk by a RuntimeError.
        raise OSError(f'{path} cannot be written: {error}') from error


def _plain_step(step: Step) -> Dict[str, Any]:
    # A file read without running code holds tensors, but no arrays.
    name, keys, *rest = step.generators['numpy']
    generators = dict(
        step.generators, numpy=(name, torch.from_numpy(keys.copy()), *rest))
    return dict(
        iteration=step.iteration,
        batch=to_plain(step.batch),
        generators=generators,
        scale=None if step.scale is None else float(step.scale),
        losses=step.losses)


def read_replay(path: str) -> Tuple[Dict[str, Any], List[Step], Precision]:
    """Read a file, without running code in the file.

    Args:
        path (str): Of ``write_replay``.

    Returns:
        tuple[dict, list[Step], Precision]: The content, the steps and the
        precision.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the file is damaged or another file, or the batch or
            the model held objects beyond plain data.
    """
    content = read_checkpoint(path)
    if content.get('format') != FORMAT:
        raise ValueError(f'{path} is not a replay file of a training (format '
                         f'{content.get("format")!r} instead of {FORMAT!r})')
    try:
        return (content, *_parts(content))
    except _Unrepeatable as error:
        raise ValueError(f'{path} {error}') from None
    except (LookupError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(
            f'{path} is not a complete replay file of this version '
            f'({type(error).__name__}: {error})') from error


class _Unrepeatable(Exception):
    """The file lacks what a repetition needs."""


def _parts(content: Dict[str, Any]) -> Tuple[List[Step], Precision]:
    """Return steps and precision, once the other parts are looked at."""
    for key, kind in dict(
            config=dict, state_dict=dict, report=str, training=bool).items():
        if not isinstance(content[key], kind):
            raise TypeError(f'{key} is a {type(content[key]).__name__}')
    lost = left_out(content['config'].get('model'), 'model') + left_out(
        [x['batch'] for x in content['steps']], 'batch')
    if lost:
        raise _Unrepeatable('cannot be repeated: it holds only the text of '
                            f'{", ".join(lost)}')
    steps = [
        Step(x['iteration'], from_plain(x['batch']), x['generators'],
             None if x['scale'] is None else torch.tensor(x['scale']), {
                 k: float(v)
                 for k, v in x['losses'].items()
             }) for x in content['steps']
    ]
    return steps, Precision(**content['precision'])
