"""The verb ``predict``."""
import argparse
import json
import sys
from pathlib import Path
from typing import Any, Iterator, List, Optional, TextIO

from tqdm import tqdm

from mmvideomamba.atomic_file import write_file
from mmvideomamba.command_line import user_errors
from mmvideomamba.exit_codes import BAD_INPUT
from mmvideomamba.inference.inputs import input_name
from mmvideomamba.inference.predictor import Prediction, Predictor
from mmvideomamba.inference.predictor.evaluation import Evaluation
from mmvideomamba.inference.predictor.labels import (Match, match_labels,
                                                     read_labels)
from mmvideomamba.inference.predictor.tables import (check_table,
                                                     write_predictions)
from .bad_inputs import report_bad_inputs
from .log_stream import logs_to_stderr


class Results:
    """Predictions as they come, printed or kept for a table.

    Args:
        out (str, optional): Path of the table; None prints.
        stream (TextIO): To print to.
        topk (int): Classes to keep of each input.
        evaluation (Evaluation, optional): With labels.
    """

    def __init__(self, out: Optional[str], stream: TextIO, topk: int,
                 evaluation: Optional[Evaluation]) -> None:
        self.path = Path(out) if out else None
        self.stream, self.topk = stream, topk
        self.evaluation = evaluation
        self.rows: List[Prediction] = []
        self.bad: List[str] = []

    def add(self, one: Prediction) -> None:
        """Take a prediction.

        Args:
            one (Prediction): With all classes where there is an evaluation.
        """
        if self.evaluation is not None:
            self.evaluation.add(one)
        if one.error is not None:
            self.bad.append(one.error)
        n = self.topk
        one = one._replace(
            labels=one.labels[:n],
            names=one.names[:n],
            probabilities=one.probabilities[:n])
        if self.path is not None:
            self.rows.append(one)
        else:
            # On a terminal, the bar would stand in the middle of the lines.
            with tqdm.external_write_mode(file=self.stream):
                self.stream.write(to_text(one))

    def finish(self) -> None:
        """Write the table and the evaluation of all predictions so far."""
        if self.path is not None:
            write_predictions(self.path, self.rows)
            if self.evaluation is not None:
                write_file(
                    self.path.with_name(f'{self.path.name}.evaluation.json'),
                    json.dumps(self.evaluation.to_dict(), ensure_ascii=False))


def to_text(one: Prediction) -> str:
    """Write a prediction for people.

    Args:
        one (Prediction): Of an input.

    Returns:
        str: The input, and a line for each class.
    """
    lines = [one.input]
    if one.error is not None:
        lines.append(f'  error: {one.error}')
    elif one.value is not None:
        lines.append(f'  {one.value:.6g}')
    for name, probability in zip(one.names, one.probabilities):
        lines.append(f'  {probability:.4f}  {name}')
    return '\n'.join(lines) + '\n'


def class_count(predictor: Predictor) -> int:
    """Return the number of classes of a model.

    Args:
        predictor (Predictor): With the model.

    Returns:
        int: 0 for a model of numbers.
    """
    return predictor.backend.num_classes or len(predictor.classes or ())


def list_labels(args: argparse.Namespace, predictor: Predictor,
                items: List[Any]) -> Optional[Match]:
    """Read and match the labels of a command.

    Args:
        args (argparse.Namespace): See ``predict.add_arguments``.
        predictor (Predictor): The model.
        items (list): The inputs.

    Returns:
        Match, optional: None without labels.

    Raises:
        ValueError: If the labels cannot be read, or the model has no classes.
    """
    if args.labels is None:
        return None
    count = class_count(predictor)
    if not count:
        raise ValueError('--labels: the model predicts no classes; leave the '
                         'labels out')
    labels = read_labels(args.labels, count, predictor.classes)
    return match_labels(labels, [input_name(item) for item in items])


def report(results: Results, match: Optional[Match], args: argparse.Namespace,
           total: int) -> int:
    """Print the evaluation, bad inputs and labels without inputs.

    Args:
        results (Results): Of all inputs.
        match (Match, optional): Of the labels.
        args (argparse.Namespace): See ``predict.add_arguments``.
        total (int): Inputs.

    Returns:
        int: Exit code.
    """
    if results.evaluation is not None:
        results.stream.write(results.evaluation.to_text() + '\n')
    if results.path is not None:
        done = len(results.rows) - len(results.bad)
        sys.stderr.write(f'{done} predictions: {results.path}\n')
    code = report_bad_inputs(results.bad, total, 'predicted')
    fault = match.fault(args.labels) if match is not None else ''
    if fault:
        sys.stderr.write(f'error: {fault}\nAll predictions are kept, and '
                         'inputs with a label are evaluated.\n')
    return BAD_INPUT if fault else code


def predict_all(predictor: Predictor, items: List[Any], topk: int,
                results: Results) -> None:
    """Predict all inputs; an interruption keeps the finished ones.

    Args:
        predictor (Predictor): The model.
        items (list): The inputs.
        topk (int): Classes to predict.
        results (Results): Takes the predictions.
    """
    found: Iterator[Prediction] = predictor.predict(items, topk)
    try:
        # The bar is shown on a terminal alone.
        for one in tqdm(found, 'predict', len(items), disable=None):
            results.add(one)
    finally:
        results.finish()


def run(args: argparse.Namespace) -> int:
    """Predict, and write or print the results.

    Args:
        args (argparse.Namespace): See ``predict.add_arguments``.

    Returns:
        int: Exit code: 0, or ``BAD_INPUT``.

    Raises:
        SystemExit: For a mistake of the user, with a message.
    """
    with user_errors(), logs_to_stderr() as stream:
        if args.topk < 1:
            raise ValueError(f'--topk must be at least 1, but is {args.topk}')
        if args.out:
            check_table(Path(args.out))
        predictor = Predictor(args.model, args.device, args.batch_size,
                              args.workers, args.views, args.config,
                              args.classes)
        items = predictor.list_inputs(args.inputs)
        match = list_labels(args, predictor, items)
        evaluation, topk = None, args.topk
        if match is not None:
            # An evaluation needs the probabilities of all classes.
            topk = class_count(predictor)
            evaluation = Evaluation(match.labels, topk, predictor.classes)
        results = Results(args.out, stream, args.topk, evaluation)
        predict_all(predictor, items, topk, results)
        return report(results, match, args, len(items))
