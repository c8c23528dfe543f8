"""A recognizer that takes inputs of any kind for the host's inferencer."""
import functools
from typing import Any, Dict, Iterator, List, Optional, Sequence

from mmaction.structures import ActionDataSample
from mmengine.logging import print_log

from .class_names import class_names, label_file_names, num_classes_of
from .inputs import Input, check_format, list_inputs
from .pipeline import VideoPipeline
from .predict import predict
from .reading import ERROR, NAME, Read, read_batches, score_batch
from .views import Views, count_views


@functools.lru_cache(maxsize=None)
def tell_views(clips: int, crops: int, windows: bool) -> None:
    """Say once what the views of a config cost.

    Args:
        clips (int): Clips of a video, or of a window.
        crops (int): Crops of a clip.
        windows (bool): Whether a video is cut into windows.
    """
    views = clips * crops
    if views == 1 and not windows:
        return
    each = ' of each window' if windows else ''
    print_log(
        f'a video is scored on {views} views{each} ({clips} clips x {crops} '
        f'crops), as by tools/test.py; each takes the time of one: '
        'views one (--views one) scores a single view, N the middle of N '
        'clips', 'current')


class VideoInference:
    """Read, score and name videos, several at a time.

    Args:
        model (nn.Module): A recognizer.
        steps (Sequence[dict]): The test pipeline of the config.
        data_set (dict, optional): Config of the data set of the test.
            Defaults to None.
        views (str | int): 'all', 'one' or a number, see ``views``. Defaults
            to 'all'.
        input_format (str): See ``list_inputs``. Defaults to 'video'.
        pack_cfg (dict, optional): See ``VideoPipeline``. Defaults to None.

    Raises:
        ValueError: If an argument is unknown.
    """

    def __init__(self,
                 model: Any,
                 steps: Sequence[dict],
                 data_set: Optional[dict] = None,
                 views: Views = 'all',
                 input_format: str = 'video',
                 pack_cfg: Optional[dict] = None) -> None:
        self.model = model
        self.input_format = check_format(input_format)
        self.pipeline = VideoPipeline(steps, views, data_set, pack_cfg)
        self.classes = class_names(model, data_set)

    def read_label_file(self, path: str) -> None:
        """Take the names of the classes from a file.

        Args:
            path (str): Text file, a name a line.

        Raises:
            FileNotFoundError: If the file does not exist.
            ValueError: If the file holds another number of names.
        """
        self.classes = label_file_names(path, num_classes_of(self.model))

    def list_inputs(self, inputs: Any) -> List[Input]:
        """Turn what a user gives into single videos, see ``list_inputs``."""
        return list_inputs(inputs, self.input_format)

    def batches(self, inputs: Sequence[Input],
                batch_size: int) -> Iterator[List[Read]]:
        """Read inputs, some at a time, see ``read_batches``.

        Args:
            inputs (Sequence): From ``list_inputs``.
            batch_size (int): Inputs at a time.

        Returns:
            Iterator[list[Read]]: All inputs in turn.
        """
        if self.pipeline.views == 'all':
            tell_views(*count_views(self.pipeline.steps))
        return read_batches(inputs, self.pipeline, batch_size)

    def forward(self, batch: Sequence[Read]) -> List[ActionDataSample]:
        """Score a batch.

        Args:
            batch (Sequence[Read]): From ``batches``.

        Returns:
            list[ActionDataSample]: A result for each input, see
            ``score_batch``.
        """
        results = score_batch(batch, self._score, ActionDataSample)
        for result in results:
            self._add_names(result)
        return results

    def _score(self, samples: List[dict]) -> List[ActionDataSample]:
        """Score packed samples."""
        return predict(self.model, samples)

    def _add_names(self, result: ActionDataSample) -> None:
        """Add the name of the predicted class to a result's metainfo."""
        if self.classes is not None and 'pred_label' in result:
            names = [self.classes[i] for i in result.pred_label.tolist()]
            result.set_metainfo(dict(pred_class=names))


def extra_values(result: ActionDataSample) -> Dict[str, Any]:
    """Return the entries of a result besides labels and scores.

    Args:
        result (ActionDataSample): From ``VideoInference.forward``.

    Returns:
        dict: ``input`` (str), and if there are any ``pred_classes``
        (list[str]) and ``error`` (str).
    """
    keys = dict(input=NAME, pred_classes='pred_class', error=ERROR)
    return {
        name: result.metainfo[key]
        for name, key in keys.items() if key in result.metainfo
    }


def to_dict(result: ActionDataSample) -> Dict[str, Any]:
    """Turn a result into plain values.

    Args:
        result (ActionDataSample): From ``VideoInference.forward``.

    Returns:
        dict: ``pred_labels`` (list[int]), empty for a model that predicts a
        number; ``pred_scores`` (list[float]), the scores of all classes or
        the number; and ``extra_values``.
    """
    found: Dict[str, Any] = dict(pred_labels=[], pred_scores=[])
    for key in ('pred_label', 'pred_score'):
        if key in result:
            found[f'{key}s'] = getattr(result, key).tolist()
    return {**found, **extra_values(result)}
