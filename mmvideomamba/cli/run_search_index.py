"""The verb ``search index``."""
import argparse
import os
import sys
from pathlib import Path
from typing import Any

from tqdm import tqdm

from mmvideomamba.command_line import user_errors
from mmvideomamba.inference import VideoTextPredictor
from mmvideomamba.inference.search import VideoIndex
from mmvideomamba.inference.search.planning import (Plan, fault_of,
                                                    list_places, size)
from mmvideomamba.inference.search.settings import FILE
from .bad_inputs import report_bad_inputs
from .log_stream import logs_to_stderr
from .search_model import load_model, source_of


def open_index(args: argparse.Namespace) -> Any:
    """Open or make the index of a command.

    Args:
        args (argparse.Namespace): See ``search_index.add_arguments``.

    Returns:
        tuple[VideoIndex, VideoTextPredictor]: Both fit each other.

    Raises:
        ValueError: If the index is of another model or other settings.
    """
    folder = Path(args.out)
    if (folder / FILE).exists():
        index = VideoIndex.open(folder)
        index.check_settings(args.window, args.stride, args.tokens,
                             args.precision)
        predictor = load_model(args, index.settings)
        index.check_model(predictor)
        return index, predictor
    if not args.model:
        raise ValueError(f'{folder} is not an index yet; give --model to make '
                         'one')
    predictor = VideoTextPredictor(
        args.model,
        args.device,
        config=args.config,
        batch_size=args.batch_size,
        workers=args.workers)
    # Later commands may run in another folder.
    config = args.config and os.path.abspath(args.config)
    index = VideoIndex.create(
        folder,
        predictor,
        window=args.window,
        stride=args.stride,
        tokens=args.tokens,
        precision=args.precision or 'float32',
        source=source_of(args),
        config=config)
    return index, predictor


def state(plan: Plan) -> None:
    """Announce the work, and the room needed.

    Args:
        plan (Plan): The work to do.
    """
    sys.stderr.write(plan.to_text())
    if plan.disk > plan.free:
        sys.stderr.write(f'warning: {size(plan.disk)} are needed, but '
                         f'{size(plan.free)} are free on the disk; a full '
                         'disk ends the command and keeps the videos so '
                         'far\n')


def run(args: argparse.Namespace) -> int:
    """Bring an index up to date.

    Args:
        args (argparse.Namespace): See ``search_index.add_arguments``.

    Returns:
        int: Exit code: 0, or ``BAD_INPUT``.

    Raises:
        SystemExit: For a mistake of the user, with a message.
    """
    with user_errors(), logs_to_stderr():
        if '-' in args.inputs:  # can be read a single time
            args.inputs = _read_stdin(args.inputs)
        _check_inputs(args)  # mistakes show before the model is loaded
        index, predictor = open_index(args)
        plan = index.plan(args.inputs, args.retry)
        state(plan)
        with tqdm(total=len(plan.todo), desc='index', disable=None) as bar:
            added = index.add(args.inputs, predictor, lambda _: bar.update(1),
                              args.retry)
        for note in added.notes:
            sys.stderr.write(f'{note}\n')
        good = sum(record.error is None for record in index.videos)
        sys.stderr.write(f'{added.windows} windows are new: {args.out} holds '
                         f'{good} videos, {index.windows} windows\n')
        return report_bad_inputs(added.errors, added.plan.total, 'indexed')


def _check_inputs(args: argparse.Namespace) -> None:
    """Refuse to make an index of files that do not exist."""
    places, _, wrong = list_places(args.inputs)
    if not places and not (Path(args.out) / FILE).exists():
        raise FileNotFoundError(f'{wrong[0]} {fault_of(wrong[0])}; nothing '
                                'is left to index')


def _read_stdin(inputs: Any) -> Any:
    """Put the lines of the standard input in place of -."""
    places, _, wrong = list_places(['-'])
    lines = [place.path for place in places] + wrong
    return [item for item in inputs if item != '-'] + lines
