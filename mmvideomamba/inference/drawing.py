"""Inputs and results in the form of the host's visualizer."""
import os
from collections import Counter
from pathlib import Path
from typing import Any, Callable, List, Optional, Sequence, Union

import numpy as np
from mmaction.structures import ActionDataSample
from mmengine.structures import LabelData

from .inputs import SOURCES, Input
from .reading import for_readable


def _frames(item: Input) -> Union[str, np.ndarray]:
    """Return a path, or frames in the order of the visualizer, BGR."""
    if isinstance(item, dict):
        item = next(item[key] for key in SOURCES if key in item)
    if isinstance(item, str):
        return item
    return np.asarray(item)[..., ::-1]


def _drawable(result: Any) -> ActionDataSample:
    """Name the prediction as the visualizer does."""
    drawable = ActionDataSample()
    if 'pred_label' in result:
        drawable.pred_labels = LabelData(
            item=result.pred_label, score=result.pred_score)
    return drawable


def _folders(items: Sequence[Any], vid_out_dir: str) -> List[str]:
    """Choose the folder of each drawn video.

    The visualizer names a drawn video as the input, whose folder is left out,
    and a second input of the name would replace the first.
    """
    seen: Counter = Counter()
    folders = []
    for item in items:
        # A video may be drawn as a picture, and a folder as a video.
        name = isinstance(item, str) and Path(item).stem
        seen[name] += 1
        again = name and seen[name] > 1 and vid_out_dir
        folders.append(
            os.path.join(vid_out_dir, f'{seen[name]}'
                         ) if again else vid_out_dir)
    return folders


def draw_results(draw: Callable,
                 inputs: Sequence[Input],
                 results: Sequence[Any],
                 vid_out_dir: str = '') -> Optional[List[Any]]:
    """Draw results by the host's visualizer.

    The visualizer looks for ``pred_labels``, set by no model of the host, and
    would draw a video without the prediction.

    Args:
        draw (Callable): The host's function, from lists of paths or frames
            and of results to pictures, with the argument ``vid_out_dir``.
        inputs (Sequence): From ``list_inputs``.
        results (Sequence[ActionDataSample]): A result for each.
        vid_out_dir (str): Folder of the drawn videos. The second video of a
            name goes into the folder ``2`` inside, and so on. Defaults to '',
            nothing is written.

    Returns:
        list, optional: The pictures of each input, None for an unreadable
        input; None if nothing is to be drawn.
    """

    def prepare(items: List[Input], good: List[Any]) -> Optional[Sequence]:
        drawn: List[Any] = []
        frames = [_frames(item) for item in items]
        for item, result, folder in zip(frames, good,
                                        _folders(frames, vid_out_dir)):
            # A call for each video, as the folders differ.
            one = draw([item], [_drawable(result)], vid_out_dir=folder)
            if one is None:
                return None
            drawn += one
        return drawn

    return for_readable(prepare, inputs, results)
