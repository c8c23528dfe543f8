"""The prediction for a video or image."""
from typing import Any, Dict, List, NamedTuple, Optional, Sequence

import numpy as np

from ..pipeline import Chosen


class Prediction(NamedTuple):
    """The answer of a model for an input.

    Args:
        input (str): Path of the file, or the shape of an array.
        labels (list[int]): The best classes, the best first.
        names (list[str]): Name of each.
        probabilities (list[float]): Probability of each; of a model that
            compares with texts, the score.
        frames (list[list[int]]): Numbers of the frames of each clip scored,
            the first frame of a video is 0.
        times (list[list[float]]): Seconds of the frames, by the average
            frame rate; empty where the rate is unknown.
        value (float, optional): The number of a model without classes.
            Defaults to None.
        error (str, optional): Why the input could not be read; all other
            fields are then empty. Defaults to None.
    """
    input: str
    labels: List[int] = []
    names: List[str] = []
    probabilities: List[float] = []
    frames: List[List[int]] = []
    times: List[List[float]] = []
    value: Optional[float] = None
    error: Optional[str] = None

    def to_dict(self) -> Dict[str, Any]:
        """Return plain values for JSON.

        Returns:
            dict: All fields but ``value`` and ``error`` where None.
        """
        return {
            key: value
            for key, value in self._asdict().items() if value is not None
        }


def predicted(name: str,
              scores: np.ndarray,
              chosen: Chosen,
              classes: Optional[Sequence[str]],
              topk: int,
              number: bool = False) -> Prediction:
    """Choose the best classes of an input.

    Args:
        name (str): Of the input.
        scores (np.ndarray): Probability of each class, (k, ), or the number,
            (1, ).
        chosen (Chosen): Frames of the input.
        classes (Sequence[str], optional): A name for each class; None
            numbers the classes.
        topk (int): How many classes.
        number (bool): Whether ``scores`` is a number. Defaults to False.

    Returns:
        Prediction: The best classes; of equal ones the first.
    """
    if number:
        return Prediction(
            name,
            frames=chosen.frames,
            times=chosen.times,
            value=float(scores.reshape(-1)[0]))
    best = np.argsort(-scores, kind='stable')[:topk].tolist()
    names = [classes[i] if classes else f'class {i}' for i in best]
    return Prediction(name, best, names, [float(scores[i]) for i in best],
                      chosen.frames, chosen.times)
