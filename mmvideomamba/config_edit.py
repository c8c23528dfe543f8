"""Edit the lists of a config by the type of their items.

A child config merges dicts key by key, but replaces a list as a whole. The
functions below change items of an inherited list instead::

    _base_ = './videomamba-tiny_in1k-pre_8xb64-u8-70e_kinetics400-rgb.py'
    from mmvideomamba.config_edit import edit, insert, remove

    edit(_base_, '*_pipeline', 'UniformSample', clip_len=16)
    insert(_base_, 'train_pipeline', dict(type='Flip'), before='FormatShape')
    remove(_base_, 'train_pipeline', 'mmvideomamba.ClipRandomErasing')
    edit(_base_, 'param_scheduler', 'LinearLR', start_factor=0.01)

The import stands below ``_base_``: mmengine takes a file that begins with an
import for a config of the new style. The imported functions are not part of
the config, which can be dumped and pickled as before.

``cfg`` is ``_base_`` inside a config file, or a loaded ``Config``. ``names``
is a name or several:

- ``'param_scheduler'``, ``'custom_hooks'``, ``'model.train_cfg.augments'``:
  the list under the key; dots lead into dicts.
- ``'train_pipeline'``: each pipeline of ``train_dataloader``, and the
  variable ``train_pipeline`` if there is one. The hosts train with the
  loader's copy; to change the variable alone would have no effect.
- ``'*_pipeline'``: the pipelines of all loaders (a pattern of
  :mod:`fnmatch`).

Types are written in full, as in the config: ``'mmvideomamba.DecodeFrames'``.
"""
import copy
import difflib
from fnmatch import fnmatchcase
from typing import Any, Iterator, List, Optional, Sequence, Union

from mmengine.config import Config, ConfigDict

__all__ = ['edit', 'insert', 'items_after', 'option_keys', 'remove']

AnyConfig = Union[Config, ConfigDict]
Names = Union[str, Sequence[str]]

LOADER = '_dataloader'
PIPELINE = '_pipeline'


def edit(cfg: AnyConfig, names: Names, item_type: str, /,
         **values: Any) -> None:
    """Change values of the item with a given type.

    Values merge as in a child config: nested dicts key by key, and
    ``_delete_=True`` drops all old values first.

    Args:
        cfg (Config | ConfigDict): ``_base_`` or a loaded config, changed in
            place.
        names (str | Sequence[str]): The lists, see the module.
        item_type (str): Type of the item before the change.
        **values: New values of the item; ``type`` is allowed.

    Raises:
        ValueError: If a name stands for no list, or if a list has no item of
            the type or several.

    Examples:
        >>> cfg = ConfigDict(param_scheduler=[
        ...     dict(type='LinearLR', end=5),
        ...     dict(type='CosineAnnealingLR', begin=5)])
        >>> edit(cfg, 'param_scheduler', 'LinearLR', start_factor=0.01)
        >>> print(cfg.param_scheduler)
        [{'type': 'LinearLR', 'end': 5, 'start_factor': 0.01}, \
{'type': 'CosineAnnealingLR', 'begin': 5}]
    """
    for items, place in _find(cfg, names, item_type):
        # Two lists may hold the same dict: a copy is changed.
        item = ConfigDict(copy.deepcopy(items[place]))
        item.merge(values)
        item.setdefault('type', item_type)
        items[place] = item


def insert(cfg: AnyConfig,
           names: Names,
           item: dict,
           *,
           before: Optional[str] = None,
           after: Optional[str] = None) -> None:
    """Put a new item before or after the item with a given type.

    Args:
        cfg (Config | ConfigDict): ``_base_`` or a loaded config, changed in
            place.
        names (str | Sequence[str]): The lists, see the module.
        item (dict): The new item; each list gets a copy.
        before (str, optional): Type of the next item. Defaults to None.
        after (str, optional): Type of the previous item. Defaults to None.

    Raises:
        ValueError: If ``before`` and ``after`` are both given or both left
            out, if a name stands for no list, or if a list has no item of
            the type or several.
    """
    if before is None and after is not None:
        neighbour, offset = after, 1
    elif before is not None and after is None:
        neighbour, offset = before, 0
    else:
        raise ValueError(f'insert({names!r}, {item!r}) needs either before '
                         f'or after, got before={before!r}, after={after!r}')
    for items, place in _find(cfg, names, neighbour):
        items.insert(place + offset, ConfigDict(copy.deepcopy(item)))


def remove(cfg: AnyConfig, names: Names, *item_types: str) -> None:
    """Remove the items with given types.

    Args:
        cfg (Config | ConfigDict): ``_base_`` or a loaded config, changed in
            place.
        names (str | Sequence[str]): The lists, see the module.
        *item_types (str): Types of the items to remove.

    Raises:
        ValueError: If a name stands for no list, or if a list has no item of
            a type or several.
    """
    for item_type in item_types:
        for items, place in _find(cfg, names, item_type):
            del items[place]


def items_after(items: List[dict], item_type: str) -> List[dict]:
    """Copy the items after the item with a given type.

    For a list that starts in another way than an inherited list and goes on
    alike, such as a pipeline for images.

    Args:
        items (list[dict]): A list such as ``_base_.train_pipeline``.
        item_type (str): Type of the last item to leave out.

    Returns:
        list[dict]: Copies of the remaining items.

    Raises:
        ValueError: If the list has no item of the type or several.

    Examples:
        >>> items_after([dict(type='OpenVideo'), dict(type='Flip')],
        ...             'OpenVideo')
        [{'type': 'Flip'}]
    """
    return copy.deepcopy(items[_index(items, 'the list', item_type) + 1:])


def option_keys(cfg: AnyConfig, key: str) -> List[str]:
    """Translate a dotted key with types of items into keys with numbers.

    For options of a command line, which mmengine merges by number.

    Args:
        cfg (Config | ConfigDict): The config of the options.
        key (str): Such as ``'param_scheduler.LinearLR.end'`` or
            ``'*_pipeline.mmvideomamba.DecodeFrames.threads'``.

    Returns:
        list[str]: One key, or one for each copy of a pipeline.

    Raises:
        ValueError: If no dataloader has the pipeline, or if a list has no
            item of the type or several.

    Examples:
        >>> cfg = ConfigDict(param_scheduler=[
        ...     dict(type='LinearLR', end=5),
        ...     dict(type='CosineAnnealingLR', begin=5)])
        >>> option_keys(cfg, 'param_scheduler.CosineAnnealingLR.begin')
        ['param_scheduler.1.begin']
    """
    name, *parts = key.split('.')
    if parts and name.endswith(PIPELINE):
        places = [place for place, _ in _pipelines(cfg, name)]
    else:
        places = [name]
    keys = [[*place.split('.'), *parts] for place in places]
    return ['.'.join(_numbered(cfg, key)) for key in keys]


def _numbered(node: Any, parts: List[str], place: str = '') -> List[str]:
    """Replace types among the parts of a key below a node by numbers."""
    if not parts:
        return []
    part, *rest = parts
    if _holds_dicts(node) and not part.isdigit():
        scope = f'{part}.'
        if rest and any(
                str(item.get('type')).startswith(scope) for item in node):
            part, *rest = [scope + rest[0], *rest[1:]]
        part = str(_index(node, place, part))
    below = None
    if isinstance(node, (Config, dict)):
        below = node.get(part)
    elif isinstance(node, list) and part.isdigit() and int(part) < len(node):
        below = node[int(part)]
    return [part, *_numbered(below, rest, f'{place}.{part}'.lstrip('.'))]


def _find(cfg: AnyConfig, names: Names, item_type: str) -> List[tuple]:
    """Return the lists that are meant, each with the index of the item."""
    if not isinstance(cfg, (Config, ConfigDict)):
        raise ValueError(f'expected _base_ or a loaded Config, got {cfg!r}')
    lists = {}
    for name in [names] if isinstance(names, str) else names:
        for key, items in _named_lists(cfg, name):
            # A loader's pipeline and the variable may be the same list: by id,
            # a list is changed once.
            lists[id(items)] = items, _index(items, key, item_type)
    return list(lists.values())


def _index(items: List[dict], name: str, item_type: str) -> int:
    """Return the index of the only item of a type."""
    types = [str(item.get('type')) for item in items]
    if types.count(item_type) == 1:
        return types.index(item_type)
    if item_type in types:
        raise ValueError(f'{name} has {types.count(item_type)} items of type '
                         f'{item_type!r}; write the whole list instead')
    near = difflib.get_close_matches(item_type, types, 1)
    raise ValueError(f'{name} has no item of type {item_type!r}' +
                     (f', did you mean {near[0]!r}?' if near else '') +
                     f' (types: {", ".join(types)})')


def _holds_dicts(node: Any) -> bool:
    """Tell a list of items with types from other values."""
    return isinstance(node, list) and all(
        isinstance(item, dict) for item in node)


def _named_lists(cfg: AnyConfig, name: str) -> Iterator[tuple]:
    """Yield the lists of a name, each with its place in the config."""
    if name.endswith(PIPELINE):
        yield from _pipelines(cfg, name)
        return
    node: Any = cfg
    for key in name.split('.'):
        if not isinstance(node, (Config, dict)) or key not in node:
            raise ValueError(f'the config has no {name!r} (no key {key!r})')
        node = node[key]
    if not _holds_dicts(node):
        raise ValueError(f'{name!r} is not a list of dicts, but {node!r}; a '
                         'dict is inherited key by key')
    yield name, node


def _pipelines(cfg: AnyConfig, name: str) -> Iterator[tuple]:
    """Yield the pipelines of loaders, and the variables of their names."""
    loaders = {
        key[:-len(LOADER)] + PIPELINE: list(_nested_pipelines(loader, key))
        for key, loader in cfg.items() if key.endswith(LOADER)
    }
    known = [key for key, found in loaders.items() if found]
    wanted = [key for key in known if fnmatchcase(key, name)]
    if not wanted:
        raise ValueError(
            f'no dataloader of the config has the pipeline {name!r} (known: '
            f'{", ".join(known) or "none"}); write a list for a loader of '
            'your own in full')
    for key in wanted:
        yield from loaders[key]
        # mmpretrain's configs have no variable val_pipeline.
        if key in cfg:
            yield key, cfg[key]


def _nested_pipelines(node: Any, place: str) -> Iterator[tuple]:
    """Yield each ``pipeline`` of a loader, below wrapped datasets as well."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key == 'pipeline' and isinstance(value, list):
                yield f'{place}.{key}', value
            else:
                yield from _nested_pipelines(value, f'{place}.{key}')
    elif isinstance(node, (list, tuple)):
        for i, value in enumerate(node):
            yield from _nested_pipelines(value, f'{place}.{i}')
