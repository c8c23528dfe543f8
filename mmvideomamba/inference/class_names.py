"""Names of the classes of a model."""
import logging
import os
from typing import Any, List, Optional

from mmengine.logging import print_log

from mmvideomamba.datasets.class_names import (clean_class_names,
                                               read_class_names)


def label_file_names(path: str, num_classes: Optional[int]) -> List[str]:
    """Read the names given by a user.

    Args:
        path (str): Text file, a name a line.
        num_classes (int, optional): Classes of the model, None for a model
            of numbers.

    Returns:
        list[str]: A name for each class.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the file holds another number of names.
    """
    if not os.path.isfile(path):
        raise FileNotFoundError(f'the label file {path!r} does not exist or '
                                'is not a file; give a text file with a name '
                                'per line')
    if num_classes is None:
        raise ValueError(f'the label file {path!r} names classes, but the '
                         'model predicts a number; leave the label file out')
    names = read_class_names(path)
    if len(names) != num_classes:
        raise ValueError(
            f'the label file {path!r} names {len(names)} classes, but the '
            f'model of this config has {num_classes}')
    return names


def num_classes_of(model: Any) -> Optional[int]:
    """Return the number of classes of a recognizer or classifier.

    Args:
        model (nn.Module): The model.

    Returns:
        int, optional: None for a model of numbers.
    """
    head = getattr(model, 'cls_head', None) or getattr(model, 'head', None)
    if getattr(head, 'predicts_number', False):
        return None
    return getattr(head, 'num_classes', None)


def class_names(model: Any,
                data_set: Optional[dict],
                meta: Optional[dict] = None) -> Optional[List[str]]:
    """Find the names of the classes of a training.

    Args:
        model (nn.Module): With the ``dataset_meta`` of a checkpoint, if
            known.
        data_set (dict, optional): Config of the data set of the test.
        meta (dict, optional): Taken for the ``dataset_meta`` of the model.
            Defaults to None.

    Returns:
        list[str], optional: A name for each class, from the checkpoint, else
        from the config's ``metainfo``; None without names.
    """
    count = num_classes_of(model)
    meta = meta or getattr(model, 'dataset_meta', None) or {}
    names = _names_in(meta.get('classes'))
    if names is None:
        meta = (data_set or {}).get('metainfo') or {}
        names = _names_in(meta.get('classes'))
    if names is not None and len(names) != count:
        if count is not None:
            print_log(
                f'{len(names)} names of classes are known, but the model has '
                f'{count} classes: the names are left out; give a label_file',
                'current', logging.WARNING)
        return None
    return names


def _names_in(classes: Any) -> Optional[List[str]]:
    """Return names given as a list or as an existing file."""
    if isinstance(classes, str):
        return read_class_names(classes) if os.path.isfile(classes) else None
    return clean_class_names(map(str, classes)) if classes else None
