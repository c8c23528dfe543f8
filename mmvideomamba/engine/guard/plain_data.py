"""Batches and configs as plain data: torch reads these without running code.

Besides numbers, texts, tensors and containers, a file may hold the data
samples of mmengine, mmaction2 and mmpretrain, by class names.
"""
import copy
from typing import Any, Dict, List

import numpy as np
import torch
from mmaction.structures import ActionDataSample
from mmengine.structures import (BaseDataElement, InstanceData, LabelData,
                                 PixelData)
from mmpretrain.structures import DataSample, MultiTaskDataSample

KIND = '__kind__'  # key of dicts in place of other objects
ELEMENTS = {
    x.__name__: x
    for x in (ActionDataSample, BaseDataElement, DataSample, InstanceData,
              LabelData, MultiTaskDataSample, PixelData)
}
_PLAIN = (str, int, float, bool, bytes, type(None))


def to_plain(value: Any) -> Any:
    """Turn a value into plain data.

    Args:
        value (Any): A batch or a config.

    Returns:
        Any: Plain data. Objects of other classes become their text, see
        ``left_out``.
    """
    if type(value) in _PLAIN:
        return value
    if isinstance(value, torch.Tensor):
        # A file would hold the whole storage of a view.
        return value.detach().cpu().clone()
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return _array(value)
    if isinstance(value, dict):
        content = {to_plain(k): to_plain(v) for k, v in value.items()}
        return dict({KIND: 'dict'}, content=content) if KIND in value \
            else content
    if type(value) in (list, tuple, set):
        return type(value)(map(to_plain, value))
    if ELEMENTS.get(type(value).__name__) is type(value):
        return {
            KIND: type(value).__name__,
            'meta': to_plain(dict(value.metainfo_items())),
            'data': to_plain(dict(value.items()))
        }
    if isinstance(value, (list, tuple)):  # subclasses
        return list(map(to_plain, value))
    return {KIND: 'text', 'class': type(value).__name__, 'text': repr(value)}


def _array(value: np.ndarray) -> Dict[str, Any]:
    """Turn an array into plain data; texts and objects become a list."""
    try:
        content: Any = torch.from_numpy(np.ascontiguousarray(value)).clone()
    except TypeError:
        return {KIND: 'list', 'content': to_plain(value.tolist())}
    return {KIND: 'array', 'content': content}


def from_plain(value: Any) -> Any:
    """Undo ``to_plain``.

    Args:
        value (Any): Plain data.

    Returns:
        Any: The value. Objects known by their text alone stay dicts.

    Raises:
        ValueError: If a class is not among ``ELEMENTS``.
    """
    if isinstance(value, dict) and KIND in value:
        return _object(value)
    if isinstance(value, dict):
        return {k: from_plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple, set)):
        return type(value)(map(from_plain, value))
    return value


def _object(value: Dict[str, Any]) -> Any:
    """Make the object of a dict."""
    kind = value[KIND]
    if kind == 'text':
        return value
    if kind == 'dict':
        return {k: from_plain(v) for k, v in value['content'].items()}
    if kind == 'array':
        return value['content'].numpy()
    if kind == 'list':
        return np.array(from_plain(value['content']))
    if kind not in ELEMENTS:
        raise ValueError(f'the file holds an object of {kind!r}, but only '
                         f'{sorted(ELEMENTS)} are read')
    element = ELEMENTS[kind]()
    element.set_metainfo(from_plain(value['meta']))
    for name, content in value['data'].items():
        element.set_field(from_plain(content), name)
    return element


def left_out(value: Any, name: str = '') -> List[str]:
    """List the objects of which plain data holds the text alone.

    Args:
        value (Any): Plain data.
        name (str): Name of the value. Defaults to ''.

    Returns:
        list[str]: Names and classes, such as 'model.backbone (Conv2d)'.
    """
    if isinstance(value, dict) and value.get(KIND) == 'text':
        return [f'{name} ({value["class"]})']
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, (list, tuple)):
        items = list(enumerate(value))
    else:
        return []
    return [
        found for key, one in items
        for found in left_out(one, f'{name}.{key}' if name else str(key))
    ]


def snapshot(value: Any) -> Any:
    """Copy containers and data samples, but not the tensors.

    A model may write into the data samples of a batch.

    Args:
        value (Any): A batch.

    Returns:
        Any: A copy of the batch, with the same tensors.
    """
    if isinstance(value, dict):
        return {k: snapshot(v) for k, v in value.items()}
    if type(value) in (list, tuple):
        return type(value)(map(snapshot, value))
    if isinstance(value, BaseDataElement):
        twin = copy.copy(value)
        vars(twin).update({
            k: snapshot(v)
            for k, v in vars(value).items() if type(v) is not set
        })
        # The names of fields grow with each new field.
        vars(twin).update({
            k: set(v)
            for k, v in vars(value).items() if type(v) is set
        })
        return twin
    return value
