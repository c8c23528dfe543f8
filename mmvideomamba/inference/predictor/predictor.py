"""Predictions for files, by any form of a model."""
import itertools
import os
from pathlib import Path
from typing import Any, Iterator, List, Optional, Sequence, Union

import torch
from mmengine.logging import print_log

from mmvideomamba.datasets.class_names import clean_class_names
from ..class_names import label_file_names
from ..inputs import input_name
from ..relevance import METHODS
from ..saved import load
from ..views import Views
from .explanation import Explanation, check_explainable, explain, find_label
from .exported_file import ENDINGS, ExportedFile
from .features import FeatureExtractor, Features
from .input_lists import expand_inputs
from .loaded_model import LoadedModel
from .prediction import Prediction, predicted
from .read_ahead import Outcome, read_ahead, usual_workers

Classes = Union[str, Path, Sequence[str]]


def choose_device(device: str) -> str:
    """Choose a device.

    Args:
        device (str): 'auto', or a device of torch.

    Returns:
        str: For 'auto', 'cuda' if there is a GPU, else 'cpu'.

    Raises:
        ValueError: If there is no such device.
    """
    if device == 'auto':
        return 'cuda' if torch.cuda.is_available() else 'cpu'
    try:
        # By an allocation, as torch.device takes a GPU that is not there.
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        text = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ValueError(f'device {device!r} cannot be used ({text}); take '
                         "'auto' or 'cpu'") from error
    return device


class Predictor:
    """Read files and say what a model sees, with no config.

    Args:
        source (str | Path | nn.Module): The working folder of a training, for
            the best checkpoint; a checkpoint with the config inside, a saved
            folder, the name of a published file, an id of the Hub (see
            ``mmvideomamba.load``), an exported .pt2 or .onnx file, or a
            model of ``mmvideomamba.load``.
        device (str): 'auto' takes a GPU if there is one; exported files run
            on the CPU. Defaults to 'auto'.
        batch_size (int): Videos or images at a time. Defaults to 4.
        workers (int, optional): Threads that read files, 0 for none besides
            the caller's. Defaults to None, one for each core, at most 8.
        views (str | int): 'all', the clips and crops of the test; 'one'; or
            a number of clips. Defaults to 'all'.
        config (str | Path | Config, optional): Config for a checkpoint
            without one. Defaults to None.
        classes (str | Path | Sequence[str], optional): Names of the classes,
            or a text file with a name a line. Defaults to None, the names
            that the model knows.

    Attributes:
        classes (list[str], optional): A name for each class, None where
            unknown.
        description (dict): See ``inference.saved.describe``.

    Raises:
        FileNotFoundError: If a file does not exist.
        ValueError: If an argument is not allowed, or the model cannot be
            loaded.
    """

    def __init__(self,
                 source: Any,
                 device: str = 'auto',
                 batch_size: int = 4,
                 workers: Optional[int] = None,
                 views: Views = 'all',
                 config: Any = None,
                 classes: Optional[Classes] = None) -> None:
        if batch_size < 1:
            raise ValueError('batch_size must be at least 1, but is '
                             f'{batch_size}')
        if workers is not None and workers < 0:
            raise ValueError(f'workers must be at least 0, but is {workers}')
        self.batch_size = batch_size
        self.workers = usual_workers() if workers is None else workers
        self.backend: Union[LoadedModel, ExportedFile]
        if isinstance(source, (str, os.PathLike)):
            source = os.fspath(source)
        if isinstance(source, str) and source.endswith(ENDINGS):
            if config is not None:
                raise ValueError(f'{source} needs no config; leave it out')
            self.backend = ExportedFile(source, device, views)
        else:
            if isinstance(source, str):
                source = load(source, choose_device(device), config)
            self.backend = LoadedModel(source, views)
        self.description = self.backend.description
        self.classes = self._names(classes)

    def _names(self, given: Optional[Classes]) -> Optional[List[str]]:
        """Return the names of the classes."""
        known = self.description.get('classes')
        if given is None:
            return list(known) if known else None
        if isinstance(given, (str, os.PathLike)):
            count = self.backend.num_classes
            return label_file_names(os.fspath(given), count)
        names = clean_class_names(map(str, given))
        count = self.backend.num_classes
        if count is not None and len(names) != count:
            raise ValueError(f'classes has {len(names)} names, but the model '
                             f'has {count} classes')
        return names

    @property
    def images(self) -> bool:
        """Whether the model takes images."""
        return self.backend.images

    def list_inputs(self, inputs: Any) -> List[Any]:
        """Turn what a user gives into single inputs, see ``expand_inputs``.

        Args:
            inputs (Any): Files, folders, lists, arrays.

        Returns:
            list: Single inputs.

        Raises:
            ValueError: See ``expand_inputs``.
        """
        return expand_inputs(inputs, self.images)

    def predict(self, inputs: Any, topk: int = 5) -> Iterator[Prediction]:
        """Predict the classes of videos or images.

        The numbers are those of ``tools/test.py``. Files are read by threads
        while the model computes.

        Args:
            inputs (Any): See ``list_inputs``.
            topk (int): Classes to return, at most. Defaults to 5.

        Returns:
            Iterator[Prediction]: One for each input, in order, as soon as
            known; an input that cannot be read has an ``error``.

        Raises:
            ValueError: If there is no input, ``topk`` is below 1, or the
                model gives no probabilities.
        """
        if topk < 1:
            raise ValueError(f'topk must be at least 1, but is {topk}')
        self.backend.check()
        number = self.description['task'] == 'video-regression'
        if self.classes is None and not number:
            print_log(
                'the model holds no names of classes, so classes are '
                'numbered; give classes (--classes), a file with a name a '
                'line', 'current')
        # A generator of another method, so that wrong arguments raise at the
        # call, and not at the first result.
        return self._predict(self.list_inputs(inputs), topk, number)

    def features(self,
                 inputs: Any,
                 level: str = 'clip',
                 interval: Optional[int] = None,
                 stride: Optional[int] = None) -> Iterator[Features]:
        """Extract features of the backbone, of videos of any length.

        Args:
            inputs (Any): See ``list_inputs``.
            level (str): 'clip', a row for each clip of the test, the mean
                over the crops; 'window', a row for each of the windows over
                the whole video; 'frame', a row for each frame (tubelet) of
                such windows, the mean over the patches. Defaults to 'clip'.
            interval (int, optional): Distance of the frames of a window.
                Defaults to None, that of the test pipeline, else 4.
            stride (int, optional): Distance of the windows, in frames.
                Defaults to None, the frames of a window times the interval.

        Returns:
            Iterator[Features]: One for each input, in order; an input that
            cannot be read has an ``error``.

        Raises:
            ValueError: If there is no input, an argument is not allowed, or
                the model is an exported file.
        """
        extractor = self.feature_extractor(level, interval, stride)
        return extractor.run(self.list_inputs(inputs))

    def explain(self,
                inputs: Any,
                label: Union[int, str, None] = None,
                method: str = 'gradient') -> Iterator[Explanation]:
        """Say which frames and places count for a class.

        Args:
            inputs (Any): See ``list_inputs``.
            label (int | str, optional): Name or number of the class. Defaults
                to None: the best class of each input.
            method (str): 'gradient', 'attention' or 'attribution', see
                ``inference.relevance``. Defaults to 'gradient'.

        Returns:
            Iterator[Explanation]: One for each input, in order; the
            ``prediction`` of an input that cannot be read has an ``error``.

        Raises:
            ValueError: If there is no input, the label or the method is
                unknown, or the model is an exported file or not for classes.
        """
        check_explainable(self.backend)
        if method not in METHODS:
            raise ValueError(f'unknown method {method!r}; choose one of '
                             f'{list(METHODS)}')
        self.backend.check()
        backend: Any = self.backend
        number = find_label(label, self.classes, backend.num_classes)
        read = read_ahead(
            self.list_inputs(inputs), backend.read, self.workers,
            1 + self.workers)
        return explain(backend, read, self.classes, number, method)

    def feature_extractor(self,
                          level: str = 'clip',
                          interval: Optional[int] = None,
                          stride: Optional[int] = None) -> FeatureExtractor:
        """Make the part that extracts features, see ``features``.

        Args:
            level (str): Defaults to 'clip'.
            interval (int, optional): Defaults to None.
            stride (int, optional): Defaults to None.

        Returns:
            FeatureExtractor: With the plan of the rows.

        Raises:
            ValueError: See ``features``.
        """
        return FeatureExtractor(self.backend, self.batch_size, self.workers,
                                level, interval, stride)

    def _predict(self, items: List[Any], topk: int,
                 number: bool) -> Iterator[Prediction]:
        """Read and score inputs."""
        # A batch in work, and a file for each thread.
        read = read_ahead(items, self.backend.read, self.workers,
                          self.batch_size + self.workers)
        while True:
            batch = list(itertools.islice(read, self.batch_size))
            if not batch:
                return
            yield from self._score(batch, topk, number)

    def _score(self, batch: Sequence[Outcome], topk: int,
               number: bool) -> List[Prediction]:
        """Score the inputs of a batch that could be read."""
        samples = [one.value[0] for one in batch if one.error is None]
        scores = iter(self.backend.score(samples) if samples else ())
        found = []
        for one in batch:
            name = input_name(one.item)
            if one.error is not None:
                found.append(Prediction(name, error=str(one.error)))
                continue
            found.append(
                predicted(name, next(scores), one.value[1], self.classes, topk,
                          number))
        return found
