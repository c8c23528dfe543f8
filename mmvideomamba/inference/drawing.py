"""Inputs and results in the form of the host's visualizer."""
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


def draw_results(draw: Callable, inputs: Sequence[Input],
                 results: Sequence[Any]) -> Optional[List[Any]]:
    """Draw results by the host's visualizer.

    The visualizer looks for ``pred_labels``, set by no model of the host, and
    would draw a video without the prediction.

    Args:
        draw (Callable): The host's function, from lists of paths or frames
            and of results to pictures.
        inputs (Sequence): From ``list_inputs``.
        results (Sequence[ActionDataSample]): A result for each.

    Returns:
        list, optional: The pictures of each input, None for an unreadable
        input; None if nothing is to be drawn.
    """

    def prepare(items: List[Input], good: List[Any]) -> Optional[Sequence]:
        return draw([_frames(item) for item in items],
                    [_drawable(result) for result in good])

    return for_readable(prepare, inputs, results)
