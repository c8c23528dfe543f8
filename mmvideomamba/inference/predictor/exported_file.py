"""An exported file, from files to probabilities."""
import json
import zipfile
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

import numpy as np
import torch
from mmengine.config import Config

from mmvideomamba.checkpoints import LIBRARY
from mmvideomamba.extras import require
from ..pipeline import Chosen
from ..saved.model_pipeline import ModelPipeline
from ..saved.rule_steps import rule_steps
from ..views import Views

ENDINGS = ('.pt2', '.onnx')
# Key of the description in the metadata of a file.
KEY = LIBRARY
Run = Callable[[np.ndarray], List[np.ndarray]]


def _refuse(path: str, error: Exception) -> ValueError:
    """Return the error of a damaged file."""
    text = (str(error).strip() or type(error).__name__).splitlines()[0]
    return ValueError(f'{path} cannot be opened: {text}')


def _open_pt2(path: str) -> Tuple[Run, Any]:
    """Open a file of torch.export, which can run code as programs can."""
    if not zipfile.is_zipfile(path):
        raise ValueError(f'{path} cannot be opened: it is cut off or no .pt2 '
                         'file')
    texts = {KEY: ''}
    try:
        module = torch.export.load(path, extra_files=texts).module()
    except Exception as error:  # torch has a class for each fault
        raise _refuse(path, error) from error

    def run(array: np.ndarray) -> List[np.ndarray]:
        with torch.no_grad():
            return [x.numpy() for x in module(torch.from_numpy(array))]

    return run, texts[KEY]


def _open_onnx(path: str) -> Tuple[Run, Any]:
    """Open an ONNX file."""
    runtime: Any = require('onnxruntime', 'export', str(path))
    try:
        session = runtime.InferenceSession(
            path, providers=['CPUExecutionProvider'])
    except Exception as error:  # onnxruntime has a class for each fault
        raise _refuse(path, error) from error
    name = session.get_inputs()[0].name
    text = session.get_modelmeta().custom_metadata_map.get(KEY)
    return lambda array: session.run(None, {name: array}), text


class ExportedFile:
    """Read and score with a file of ``mmvideomamba export``.

    Args:
        path (str): A .pt2 or .onnx file of a whole model.
        device (str): 'auto' or 'cpu'.
        views (str | int): See ``VideoPipeline``.

    Attributes:
        description (dict): Of the model.
        images (bool): Whether the model takes images.
        num_classes (int, optional): Classes of the model, None where
            unknown.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the file cannot be opened, is of a backbone alone or
            tells no way to read a video, or an argument is not allowed.
    """

    def __init__(self, path: str, device: str, views: Views) -> None:
        if device not in ('auto', 'cpu'):
            raise ValueError(f'device {device!r}: exported files run on the '
                             "CPU; take 'cpu', or the checkpoint itself")
        with open(path, 'rb'):  # a missing file has a plain error
            pass
        opener = _open_pt2 if path.endswith('.pt2') else _open_onnx
        self.path = path
        self.run, text = opener(path)
        if not text:
            raise ValueError(f'{path} has no metadata {KEY!r}; export the '
                             'model again: mmvideomamba export')
        self.description: Dict[str, Any] = json.loads(text)
        tensors = self.description['tensors']
        (self.tensor, ) = tensors['inputs']
        self.outputs = [output['name'] for output in tensors['outputs']]
        last = tensors['outputs'][0]['shape'][-1:]
        self.num_classes: Optional[int] = (
            last[0] if last and isinstance(last[0], int) else None)
        rule = self.description.get('sampling')
        if self.tensor['dtype'] != 'uint8' or rule is None:
            raise ValueError(
                f'{path} takes arrays and tells no way to read a file: it is '
                'of a backbone alone, or the model had no test pipeline')
        try:
            steps = rule_steps(rule)
        except ValueError as error:
            raise ValueError(f'{path}: {error}') from error
        self.images = rule['kind'] == 'image'
        cfg = Config(dict(test_dataloader=dict(dataset=dict(pipeline=steps))))
        if self.images and views != 'all':
            raise ValueError(f'views={views!r}: an image has one view; leave '
                             'views out')
        self.pipeline: Any = ModelPipeline(None, cfg, self.images, views).read

    def check(self) -> None:
        """Do nothing: all exported models give probabilities."""

    def read(self, item: Any) -> Tuple[np.ndarray, Chosen]:
        """Read an input.

        Args:
            item (Any): Of ``list_inputs`` or ``list_images``.

        Returns:
            tuple[np.ndarray, Chosen]: RGB views (m, t, h, w, 3), of an image
            (h, w, 3), uint8; and the frames.

        Raises:
            MediaError: If the input cannot be read.
        """
        if self.images:  # loaded in BGR
            image = self.pipeline(item)['inputs'].numpy()
            # BGR (3, h, w) to RGB (h, w, 3).
            return image[::-1].transpose(1, 2, 0), Chosen([[0]])
        sample, chosen = self.pipeline.read(item)
        # (m, 3, t, h, w) to (m, t, h, w, 3).
        return sample['inputs'].numpy().transpose(0, 2, 3, 4, 1), chosen

    def score(self, samples: Sequence[np.ndarray]) -> np.ndarray:
        """Score views, an input at a time.

        Args:
            samples (Sequence[np.ndarray]): From ``read``.

        Returns:
            np.ndarray: Probabilities (n, k), or numbers (n, 1), float32.

        Raises:
            ValueError: If the file was exported for another size.
        """
        return np.stack([self._score(sample) for sample in samples])

    def _score(self, views: np.ndarray) -> np.ndarray:
        """Return the probabilities, (k, ), or the number, (1, )."""
        shape = self.tensor['shape']
        parts = [views]
        if len(shape) == 6 and isinstance(shape[1], int):
            # A file for a fixed number of views runs several times.
            step = shape[1]
            parts = [views[i:i + step] for i in range(0, len(views), step)]
        found: Dict[str, List[np.ndarray]] = {n: [] for n in self.outputs}
        for part in parts:
            # A batch of a single input, (1, m, t, h, w, 3) or (1, h, w, 3).
            array = np.ascontiguousarray(part[None])
            self._check_shape(array)
            for name, output in zip(self.outputs, self.run(array)):
                found[name].append(np.array(output[0]))
        if 'value' in found:
            return np.mean(found['value'], axis=0).reshape(1)
        # Means of probabilities may be joined. With 'score' the logits of all
        # views are averaged before the softmax.
        if len(parts) == 1 or self.description['average'] == 'prob':
            return np.mean(found['probabilities'], axis=0)
        mean = torch.from_numpy(np.concatenate(found['logits'])).mean(0)
        several = self.description['probability'] == 'sigmoid'
        return (mean.sigmoid() if several else mean.softmax(-1)).numpy()

    def _check_shape(self, array: np.ndarray) -> None:
        """Refuse an array of another shape than the exported."""
        shape = self.tensor['shape']
        wrong = array.ndim != len(shape) or any(
            isinstance(n, int) and n != given
            for n, given in zip(shape, array.shape))
        if wrong:
            raise ValueError(
                f'{self.path} was exported for inputs {shape}, but the input '
                f'is {list(array.shape)}; export the model again, with a '
                'dynamic batch or for these views')
