"""Relevance of the frames and places that a model saw."""
from typing import Any, Iterator, List, NamedTuple, Optional, Sequence, Union

import numpy as np
import torch

from ..inputs import input_name
from ..relevance import relevance
from .loaded_model import IMAGES, LoadedModel
from .prediction import Prediction, predicted
from .read_ahead import Outcome

TASKS = ('video-classification', IMAGES)


class View(NamedTuple):
    """A clip and crop that a model saw, with the relevance of its tokens.

    Args:
        frames (np.ndarray): RGB, shape (t, h, w, 3), uint8.
        numbers (list[int], optional): Number of each frame in the video, None
            where unknown.
        times (list[float], optional): Seconds of each frame, None where
            unknown.
        relevance (np.ndarray): Shape (t', h', w'), float32, not negative.
    """
    frames: np.ndarray
    numbers: Optional[List[int]]
    times: Optional[List[float]]
    relevance: np.ndarray


class Explanation(NamedTuple):
    """The views of an input, with their relevance for a class.

    Args:
        prediction (Prediction): The best classes of the input.
        label (int, optional): The class explained; None for a bad input.
        name (str): Name of the class.
        probability (float): Probability of the class.
        views (list[View]): All clips of the first crop, then of the next.
    """
    prediction: Prediction
    label: Optional[int] = None
    name: str = ''
    probability: float = 0.
    views: List[View] = []


def find_label(label: Union[int, str, None], classes: Optional[Sequence[str]],
               count: Optional[int]) -> Optional[int]:
    """Find a class by name or number.

    Args:
        label (int | str, optional): Name or number; None for the best class.
        classes (Sequence[str], optional): Names of the classes.
        count (int, optional): Number of classes.

    Returns:
        int, optional: The number of the class, None for None.

    Raises:
        ValueError: If there is no such class.
    """
    if label is None:
        return None
    if isinstance(label, str) and label in (classes or ()):
        return list(classes or ()).index(label)
    try:
        number = int(label)
    except ValueError:
        known = ', '.join(list(classes or ())[:10]) or 'none by name'
        raise ValueError(f'label {label!r} is not a class of the model; known '
                         f'are {known}') from None
    if not 0 <= number < (count or 0):
        raise ValueError(f'label {number} is not a class of the model, which '
                         f'has {count}: 0 to {(count or 0) - 1}')
    return number


def check_explainable(backend: Any) -> None:
    """Refuse a model without relevance of tokens for a class.

    Args:
        backend (LoadedModel | ExportedFile): Of a predictor.

    Raises:
        ValueError: If the model is an exported file, or not for classes of
            videos or images.
    """
    if not isinstance(backend, LoadedModel):
        raise ValueError('an exported file has no gradients; explain takes '
                         'the checkpoint or saved folder of the model')
    task = backend.description['task']
    if task not in TASKS:
        raise ValueError(f'the model is for {task}; explain takes models for '
                         f'{" and ".join(TASKS)}')


def explain(backend: LoadedModel, outcomes: Iterator[Outcome],
            classes: Optional[Sequence[str]], label: Optional[int],
            method: str) -> Iterator[Explanation]:
    """Explain inputs, one at a time.

    Args:
        backend (LoadedModel): Reads and scores.
        outcomes (Iterator[Outcome]): Inputs after reading.
        classes (Sequence[str], optional): A name for each class.
        label (int, optional): Class to explain, None for the best of each
            input.
        method (str): Of ``relevance``.

    Yields:
        Explanation: Of each input, in turn.
    """
    for one in outcomes:
        name = input_name(one.item)
        if one.error is not None:
            yield Explanation(Prediction(name, error=str(one.error)))
            continue
        sample, chosen = one.value
        scores = backend.score([sample])[0]
        prediction = predicted(name, scores, chosen, classes, 5)
        number = prediction.labels[0] if label is None else label
        maps = relevance(backend.model, sample['inputs'], number, method)
        yield Explanation(
            prediction, number,
            classes[number] if classes else f'class {number}',
            float(scores[number]),
            _views(backend.images, sample['inputs'], prediction,
                   maps.cpu().numpy()))


def _views(images: bool, inputs: torch.Tensor, prediction: Prediction,
           maps: np.ndarray) -> List[View]:
    """Join pixels, frame numbers and relevance of the views."""
    if images:
        # mmpretrain reads the channels in the order blue, green, red.
        # (3, h, w) to (1, 3, 1, h, w), a clip of a frame.
        pixels = inputs.flip(0)[None, :, None]
    else:
        pixels = inputs
    # (m, 3, t, h, w) to (m, t, h, w, 3).
    frames = pixels.permute(0, 2, 3, 4, 1).cpu().numpy()
    frames = np.ascontiguousarray(frames.clip(0, 255).astype(np.uint8))
    numbers, times = prediction.frames, prediction.times
    found = []
    for i, (view, values) in enumerate(zip(frames, maps)):
        known = not images and bool(
            numbers) and len(frames) % len(numbers) == 0 and len(
                numbers[0]) == len(view)
        # All clips of a crop come before the next crop.
        clip = i % len(numbers) if known else 0
        found.append(
            View(view, numbers[clip] if known else None,
                 times[clip] if known and times else None, values))
    return found
