"""Accuracy, confusions and worst mistakes of predictions."""
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence

import numpy as np

from .prediction import Prediction

WORST = 20  # mistakes kept
SHOWN = 10  # mistakes and confusions in a text


class Mistake(NamedTuple):
    """A video of another class than predicted.

    Args:
        input (str): The file.
        true (str): Name of the true class.
        predicted (str): Name of the predicted class.
        probability (float): Of the predicted class.
        true_probability (float): Of the true class.
    """
    input: str
    true: str
    predicted: str
    probability: float
    true_probability: float


class Evaluation:
    """Compare predictions with labels, input by input.

    Args:
        labels (Mapping[str, int]): Label by input; other inputs are passed
            over.
        num_classes (int): Classes k of the model.
        classes (Sequence[str], optional): A name for each. Defaults to None,
            numbers.

    Attributes:
        confusion (np.ndarray): Videos by true class (rows) and predicted
            class (columns), (k, k), int64.
        mistakes (list[Mistake]): The worst, most certain of the wrong class
            first.
    """

    def __init__(self,
                 labels: Mapping[str, int],
                 num_classes: int,
                 classes: Optional[Sequence[str]] = None) -> None:
        self.labels = labels
        self.classes = list(
            classes or (f'class {i}' for i in range(num_classes)))
        self.confusion = np.zeros((num_classes, num_classes), np.int64)
        self.mistakes: List[Mistake] = []
        self.among_five = 0

    def add(self, one: Prediction) -> None:
        """Count a prediction.

        Args:
            one (Prediction): With the probabilities of all classes;
                inputs without a label, or with an error, do not count.
        """
        true = self.labels.get(one.input)
        if true is None or not one.labels:
            return
        best = one.labels[0]
        self.confusion[true, best] += 1
        self.among_five += true in one.labels[:5]
        if best == true:
            return
        chance = dict(zip(one.labels, one.probabilities))
        self.mistakes.append(
            Mistake(one.input, self.classes[true], self.classes[best],
                    chance[best], chance[true]))
        # Cut at each mistake: a test of a million videos keeps few in memory.
        self.mistakes.sort(key=lambda m: m.true_probability - m.probability)
        del self.mistakes[WORST:]

    @property
    def total(self) -> int:
        """Videos with a label and a prediction."""
        return int(self.confusion.sum())

    def confusions(self) -> List[Dict[str, Any]]:
        """List confused pairs of classes.

        Returns:
            list[dict]: ``true``, ``predicted`` (names) and ``videos``, the
            most frequent first.
        """
        wrong = self.confusion.copy()
        np.fill_diagonal(wrong, 0)
        pairs = np.argwhere(wrong)
        order = np.argsort(-wrong[wrong > 0], kind='stable')
        return [
            dict(
                true=self.classes[row],
                predicted=self.classes[column],
                videos=int(wrong[row, column]))
            for row, column in pairs[order].tolist()
        ]

    def to_dict(self) -> Dict[str, Any]:
        """Return plain values for JSON.

        Returns:
            dict: ``videos``, ``top1``, ``top5`` (shares of the videos, None
            without any), ``mean_class_accuracy`` (over classes with videos),
            ``classes``, ``confusion_matrix`` (rows are true classes),
            ``confusions`` and ``worst_mistakes``.
        """
        right, rows = np.diag(self.confusion), self.confusion.sum(1)
        there, total = rows > 0, self.total
        return dict(
            videos=total,
            top1=float(right.sum() / total) if total else None,
            top5=self.among_five / total if total else None,
            mean_class_accuracy=(float(
                (right[there] / rows[there]).mean()) if total else None),
            classes=self.classes,
            confusion_matrix=self.confusion.tolist(),
            confusions=self.confusions(),
            worst_mistakes=[m._asdict() for m in self.mistakes])

    def to_text(self) -> str:
        """Return a report for people.

        Returns:
            str: Accuracy, and the first confusions and mistakes.
        """
        found = self.to_dict()
        if not self.total:
            return 'no video has a label and a prediction'
        # Among five classes every label is in the top 5.
        five = (f'top-5 {found["top5"]:.2%}, '
                if len(self.confusion) > 5 else '')
        lines = [
            f'{self.total} videos with labels: top-1 {found["top1"]:.2%}, '
            f'{five}mean of classes {found["mean_class_accuracy"]:.2%}'
        ]
        if found['confusions']:
            lines.append('most frequent confusions (true -> predicted):')
        for pair in found['confusions'][:SHOWN]:
            lines.append(f'  {pair["videos"]:5d}  {pair["true"]} -> '
                         f'{pair["predicted"]}')
        if self.mistakes:
            lines.append('worst mistakes:')
        for one in self.mistakes[:SHOWN]:
            lines.append(
                f'  {one.input}: {one.predicted} ({one.probability:.3f}), '
                f'but is {one.true} ({one.true_probability:.3f})')
        return '\n'.join(lines)
