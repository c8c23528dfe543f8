"""A classifier of images for mmpretrain's inferencer."""
import os
from typing import Any, Callable, Iterator, List, Optional, Sequence, Union

import numpy as np
from mmengine.config import Config
from mmengine.dataset import default_collate
from mmpretrain.structures import DataSample

from mmvideomamba.datasets.transforms import LoadCheckedImage
from mmvideomamba.datasets.video import MediaError
from .camera import read_camera
from .class_names import label_file_names, num_classes_of
from .reading import ERROR, NAME, Read, read_batches, score_batch
from .recognize import test_data_set
from .views import step_name

Image = Union[str, np.ndarray]

EXTENSIONS = ('.jpg', '.jpeg', '.png', '.ppm', '.bmp', '.pgm', '.tif', '.tiff',
              '.webp')
LOADERS = ('LoadImageFromFile', 'LoadCheckedImage')


def list_images(inputs: Any) -> List[Image]:
    """Turn what a user gives into a list of single images.

    Args:
        inputs (Any): An image or a list of images: a path, a folder of
            images, an array (h, w, 3) in BGR, or a number of a camera.

    Returns:
        list[str | np.ndarray]: The images; those of a folder by name.

    Raises:
        ValueError: If an input is of another kind, or none is given.
    """
    several = isinstance(inputs, (list, tuple))
    found: List[Image] = []
    for item in inputs if several else [inputs]:
        if isinstance(item, os.PathLike):
            item = os.fspath(item)
        if isinstance(item, str):
            found += _images_of(item) if os.path.isdir(item) else [item]
        elif isinstance(item, np.ndarray):
            found.append(_check_image(item))
        elif isinstance(item,
                        (int, np.integer)) and not isinstance(item, bool):
            # read_camera takes a frame at least, so a moment gives a single
            # frame. Images are BGR here, frames of videos RGB.
            frame = read_camera(int(item), seconds=1e-9)['array'][0]
            found.append(np.ascontiguousarray(frame[..., ::-1]))
        else:
            raise ValueError(
                f'an input is of type {type(item).__name__}; give the path of '
                'an image, a folder of images, an array (h, w, 3), uint8, '
                'BGR, or the number of a camera')
    if not found:
        raise ValueError('no input is given: the list is empty')
    return found


def _images_of(folder: str) -> List[Image]:
    """List the images of a folder; one without stays, for an error."""
    images = [
        os.path.join(folder, name) for name in sorted(os.listdir(folder))
        if os.path.splitext(name)[1].lower() in EXTENSIONS
    ]
    return list(images) or [folder]


def _check_image(array: np.ndarray) -> np.ndarray:
    """Refuse an array that is not an image."""
    if array.ndim != 3 or array.shape[-1] != 3 or 0 in array.shape:
        raise ValueError(f'an array of shape {array.shape} is not an image; '
                         'give (h, w, 3): height, width and blue, green, red')
    if array.dtype != np.uint8:
        raise ValueError(f'an array of dtype {array.dtype} is not an image; '
                         'give uint8 from 0 to 255, not normalized')
    return array


class ImageInference:
    """Read and score images, several at a time.

    Args:
        model (nn.Module): A classifier.
        cfg (Config): Its config.
        pipeline (Callable): The steps of the test after the loading.
    """

    def __init__(self, model: Any, cfg: Any, pipeline: Callable) -> None:
        self.model, self.pipeline = model, pipeline
        steps = test_data_set(cfg).get('pipeline') or []
        loaders = [dict(s) for s in steps if step_name(s) in LOADERS]
        arguments = loaders[0] if loaders else {}
        arguments.pop('type', None)
        self.load = LoadCheckedImage(**arguments)

    def check_classes(self, classes: Any) -> List[str]:
        """Check the names of the classes that a user gives.

        Args:
            classes (Sequence[str] | str): The names, or a text file with a
                name a line.

        Returns:
            list[str]: A name for each class.

        Raises:
            FileNotFoundError: If the file does not exist.
            ValueError: If there is another number of names.
        """
        count = num_classes_of(self.model)
        if isinstance(classes, (str, os.PathLike)):
            return label_file_names(os.fspath(classes), count)
        if count is not None and len(classes) != count:
            raise ValueError(f'classes has {len(classes)} names, but the '
                             f'model of this config has {count} classes')
        return list(classes)

    def read(self, item: Image) -> dict:
        """Make the packed sample of an image.

        Args:
            item (str | np.ndarray): From ``list_images``.

        Returns:
            dict: ``inputs`` and ``data_samples``.

        Raises:
            MediaError: If the image cannot be read.
        """
        if isinstance(item, str):
            if os.path.isdir(item):
                raise MediaError(item,
                                 f'holds no image ({" ".join(EXTENSIONS)})',
                                 'Give a folder of images.', 'folder')
            sample = self.load(dict(img_path=item))
        else:
            shape = item.shape[:2]
            sample = dict(img=item, img_shape=shape, ori_shape=shape)
        return self.pipeline(sample)

    def batches(self, inputs: Sequence[Image],
                batch_size: int) -> Iterator[List[Read]]:
        """Read inputs, some at a time, see ``read_batches``."""
        return read_batches(inputs, self.read, batch_size)

    def forward(self, batch: Sequence[Read]) -> List[DataSample]:
        """Score a batch, see ``score_batch``."""
        return score_batch(
            batch, lambda good: self.model.test_step(default_collate(good)),
            DataSample)


def image_values(result: DataSample, values: Optional[dict]) -> dict:
    """Complete the plain values of a result.

    Args:
        result (DataSample): From ``ImageInference.forward``.
        values (dict, optional): The host's; None for an image that could not
            be read.

    Returns:
        dict: With ``input`` (str), and ``error`` (str) without values.
    """
    found = dict(values or {}, input=result.metainfo[NAME])
    if ERROR in result.metainfo:
        found['error'] = result.metainfo[ERROR]
    return found


def is_our_config(model: Any) -> bool:
    """Tell whether what is given is a config of a model on our backbone.

    Args:
        model (Any): A config, or the path of one.

    Returns:
        bool: False for anything else.
    """
    if isinstance(model, (str, os.PathLike)):
        path = os.fspath(model)
        if not path.endswith('.py') or not os.path.isfile(path):
            return False
        model = Config.fromfile(path)
    backbone = (model.get('model') or {}).get('backbone') or {} if isinstance(
        model, Config) else {}
    return str(backbone.get('type')).startswith('mmvideomamba.')
