"""The verb ``explain``."""
import argparse
import sys
from pathlib import Path
from typing import Any, List

import numpy as np
from tqdm import tqdm

from mmvideomamba.command_line import user_errors
from mmvideomamba.inference.inputs import input_name
from mmvideomamba.inference.predictor import Explanation, Predictor, View
from mmvideomamba.inference.predictor.explanation import check_explainable
from mmvideomamba.inference.predictor.feature_files import file_names
from mmvideomamba.visualization.annotated_video import save_clip_video
from mmvideomamba.visualization.frame_strip import Clip, draw_frame_strip
from mmvideomamba.visualization.log_picture import save_picture
from .bad_inputs import report_bad_inputs
from .log_stream import logs_to_stderr


def shown_view(views: List[View]) -> View:
    """Choose the view with the largest relevance for the pictures.

    Args:
        views (list[View]): Of an input, at least one.

    Returns:
        View: The first of equal ones.
    """
    return max(views, key=lambda view: float(view.relevance.max()))


def save(one: Explanation, path: Path) -> None:
    """Write the files of an explanation.

    Args:
        one (Explanation): Of a readable input.
        path (Path): Of the files, without an ending.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    view = shown_view(one.views)
    clip = Clip(view.frames, view.numbers, view.times, view.relevance)
    best = one.prediction
    said = f'{best.names[0]} {best.probabilities[0]:.2f}'
    if len(view.frames) > 1:
        # mmvideomamba predict takes all views, and its numbers differ.
        said += ' on one view' if len(
            one.views) == 1 else f' on {len(one.views)} views'
    if one.label != best.labels[0]:
        said += f'; relevance for {one.name} {one.probability:.2f}'
    save_picture(draw_frame_strip(clip, None, said), f'{path}.png')
    if len(view.frames) > 1:
        scores = [(one.name, one.probability)]
        for label, name, value in zip(best.labels, best.names,
                                      best.probabilities):
            if label != one.label:
                scores.append((name, value))
        save_clip_video(clip, scores, Path(f'{path}.mp4'))
    np.savez_compressed(
        f'{path}.npz',
        relevance=np.stack([v.relevance for v in one.views]),
        frames=np.array([v.numbers or [] for v in one.views]),
        times=np.array([v.times or [] for v in one.views]),
        label=np.array(one.label))


def run(args: argparse.Namespace) -> int:
    """Explain the inputs, and write the pictures.

    Args:
        args (argparse.Namespace): See ``explain.add_arguments``.

    Returns:
        int: Exit code: 0, or ``BAD_INPUT``.

    Raises:
        SystemExit: For a mistake of the user, with a message.
    """
    with user_errors(), logs_to_stderr():
        out = Path(args.out)
        if out.exists() and not out.is_dir():
            raise ValueError(f'--out {out} is a file; name a folder')
        predictor = Predictor(args.model, args.device, 1, args.workers, 'all',
                              args.config, args.classes)
        check_explainable(predictor.backend)
        backend: Any = predictor.backend
        if not predictor.images:
            backend.pipeline.set_views(args.views or 'one')
        elif args.views:
            raise ValueError(f'--views {args.views}: an image has one view; '
                             'leave views out')
        items = predictor.list_inputs(args.inputs)
        paths = [input_name(item) for item in items]
        names = dict(zip(paths, file_names(paths)))
        bad = []
        found = predictor.explain(items, args.label, args.method)
        for one in tqdm(found, 'explain', len(items), disable=None):
            if one.prediction.error is not None:
                bad.append(one.prediction.error)
                continue
            save(one, out / names[one.prediction.input])
        sys.stderr.write(f'{len(items) - len(bad)} inputs explained: {out}\n')
        return report_bad_inputs(bad, len(items), 'done')
