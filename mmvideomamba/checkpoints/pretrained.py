"""Loading files by ``init_cfg`` and ``load_from``.

``init_cfg=dict(type='Pretrained', ...)`` of our modules is served by
``init_from_file``. ``load_from``, ``tools/test.py`` and the inferencers ask
mmengine's ``CheckpointLoader``; the functions registered there read files by
our reader, and give a VideoMamba file the names of a converted file. Files of
other models pass unchanged.
"""
import re
from collections import OrderedDict
from pathlib import Path
from typing import Any, Callable, Dict, Mapping, Optional

from mmengine.logging import print_log
from mmengine.model import BaseModule, PretrainedInit
from mmengine.runner import CheckpointLoader
from mmengine.runner import checkpoint as host
from torch import Tensor, nn

from .class_token import check_settings
from .convert import convert
from .download import download
from .hub_file import allowed_types, locate
from .hub_folder import read_weights
from .load_hook import SPARE
from .reader import not_a_dict, read_file
from .rename import CLASSIFIER_HEAD, RECOGNIZER_HEAD, has_published_head
from .report import Change, log_changes
from .unwrap import (find_weights, holds_videomamba, is_averaged, state_dicts,
                     trunk_prefixes, unwrap)

_URL = re.compile(r'[\w+.:-]+://')
_WEB = ('http://', 'https://')
# mmengine's prefixes of object storage: a cluster may stand in front.
_STORAGE = (r'(\S+\:)?s3://', r'(\S+\:)?petrel://')


def read_any(path: str, map_location: Any = 'cpu') -> Dict[str, Any]:
    """Read a checkpoint from a file or an address, unchanged.

    Args:
        path (str): Local file, folder of Hugging Face, published name or
            another one of ``locate``, or an address known to mmengine.
        map_location (Any): Device of the tensors. Defaults to 'cpu'.

    Returns:
        dict: The content of the file.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the file cannot be used.
    """
    path = str(path)
    if path.startswith(_WEB):
        return _read_download(path, download(path), map_location, True)
    if any(re.match(prefix, path) for prefix in _STORAGE):
        return host.load_from_ceph(path, map_location)
    if _URL.match(path):
        return CheckpointLoader.load_checkpoint(path, map_location)
    return read_weights(locate(path), map_location, allow=allowed_types(path))


def _read_download(address: str, path: Path, map_location: Any,
                   weights_only: Optional[bool]) -> Any:
    """Read a downloaded file; name the address in errors."""
    try:
        return read_file(
            path,
            map_location,
            allow=allowed_types(path),
            weights_only=weights_only)
    except ValueError as error:
        raise ValueError(f'{address}: {error}. The download is kept: remove '
                         'it before the next') from error


def _below(node: Mapping, prefix: str) -> Dict[str, Any]:
    """Keep the tensors below a prefix, in all state dicts of a file."""
    kept: Dict[str, Any] = {}
    for key, value in node.items():
        if isinstance(value, Mapping):
            kept[key] = _below(value, prefix)
        elif not isinstance(value, Tensor):
            kept[key] = value
        elif isinstance(key, str) and key.startswith(prefix):
            kept[key[len(prefix):]] = value
    return kept


def _unwrap_part(file: Dict[str, Any], prefix: str,
                 ema: bool) -> Dict[str, Tensor]:
    """Unwrap the tensors below the prefix in a config.

    The prefix is that of the unwrapped names, else that of the file, and may
    then choose one of several models, or name the EMA weights itself.
    """
    prefix = prefix.rstrip('.') + '.'
    stored = _below(file, prefix)
    below = any(True for _ in state_dicts(stored))
    # The whole file may hold several models, and the prefix names one.
    try:
        weights = unwrap(file, ema)
    except ValueError:
        if not below:
            raise
        weights = {}
    part = _below(weights, prefix)
    if part:
        return part
    if below:
        # A prefix of averaged weights has chosen the average already.
        return unwrap(stored, ema and not is_averaged(prefix))
    if prefix == 'backbone.' and '' in trunk_prefixes(weights):
        return weights  # of a backbone alone
    raise ValueError(f'no tensor begins with the prefix {prefix!r}; the first '
                     f'are {list(weights)[:3]}; correct the prefix, or leave '
                     'it out')


def load_pretrained(module: nn.Module,
                    checkpoint: str,
                    prefix: str = '',
                    map_location: Any = 'cpu',
                    ema: bool = False) -> None:
    """Load a file into a module, as ``PretrainedInit`` of mmengine does.

    Args:
        module (Module): Fits state dicts to itself by a load hook. A method
            ``check_file``, if there is one, sees the file first.
        checkpoint (str): File, folder of Hugging Face, published name, or
            address.
        prefix (str): Part of the file's model to take. Defaults to '': the
            module finds the part.
        map_location (Any): Device of the tensors. Defaults to 'cpu'.
        ema (bool): Whether to take the EMA weights of the file. Defaults to
            False.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the file cannot be used, or does not fit.
    """
    print_log(f'load {prefix or "model"} from: {checkpoint}', 'current')
    file = read_any(checkpoint, map_location)
    try:
        check_settings(file)
        check_file = getattr(module, 'check_file', None)
        if check_file is not None:
            check_file(file, checkpoint)
        if prefix:
            weights = _unwrap_part(file, prefix, ema)
        else:
            weights = unwrap(file, ema)
        host.load_state_dict(module, weights, False, 'current')
    except ValueError as error:
        raise ValueError(f'{checkpoint}: {error}') from error


def init_from_file(module: BaseModule, init: Callable[[], None]) -> None:
    """Initialise a module; ``load_pretrained`` reads the files.

    An ``init_cfg`` of type 'Pretrained' has mmengine's arguments, and ``ema``
    of ``load_pretrained``.

    Args:
        module (BaseModule): The module.
        init (Callable): ``init_weights`` of the base class.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If a file cannot be used, or does not fit.
    """
    whole = module.init_cfg
    parts = [whole] if isinstance(whole, dict) else list(whole or [])
    files = [c for c in parts if c['type'] in ('Pretrained', PretrainedInit)]
    if module.is_init or not files:
        init()
        return
    module.init_cfg = [c for c in parts if c not in files]
    try:
        init()
    finally:
        module.init_cfg = whole
    module.is_init = False  # until the files are in
    for cfg in files:
        arguments = {k: v for k, v in cfg.items() if k != 'type'}
        load_pretrained(module, **arguments)
    module.is_init = True


def _as_whole_model(weights: Dict[str, Tensor]) -> Dict[str, Tensor]:
    """Give weights the names of a recognizer and of a classifier.

    A reader of files does not know the model to load. The head is stored under
    the names of both hosts, and the metadata of the state dict let the load
    hook of the backbone forgive the names without a place.
    """
    distilled = any(k.endswith('distill_head.1.weight') for k in weights)
    named, rows = convert(weights, 'distilled' if distilled else 'classifier')
    log_changes([
        Change('renamed', f'{len(weights)} tensors', 'as the converter does'),
        *(row for row in rows if row.action not in ('kept', 'renamed'))
    ])
    for part in ('weight', 'bias'):
        # The file does not tell which host loads: both names of the head are
        # given.
        if CLASSIFIER_HEAD + part in named:
            named[RECOGNIZER_HEAD + part] = named[CLASSIFIER_HEAD + part]
    spare = [key for key in named if not key.startswith('backbone.')]
    state_dict = OrderedDict(named)
    setattr(state_dict, '_metadata', OrderedDict(backbone={SPARE: spare}))
    return state_dict


def for_whole_model(checkpoint: Any) -> Any:
    """Give a VideoMamba file the names of a recognizer or classifier.

    Files of mmengine and of the converter have the names already, and models
    of videos and texts translate multimodal files: of both, wrappers alone are
    removed.

    Args:
        checkpoint (Any): The content of a file.

    Returns:
        Any: A dict with ``state_dict``; files with the names, and of other
        models, unchanged.

    Raises:
        ValueError: If the file leaves a choice of weights, or has tensors
            unknown to VideoMamba.
    """
    if isinstance(checkpoint, (list, tuple)):
        if holds_videomamba(dict(checkpoint=checkpoint)):
            raise ValueError(f'the file {not_a_dict(checkpoint)}')
        return checkpoint
    if not isinstance(checkpoint, dict) or not holds_videomamba(checkpoint):
        return checkpoint
    meta = checkpoint.get('meta')
    if isinstance(meta, dict) and 'mmengine_version' in meta:
        return checkpoint  # names of the very model, which may be any
    check_settings(checkpoint)
    place = find_weights(checkpoint).place
    weights = unwrap(checkpoint)
    trunk = trunk_prefixes(weights)[0]
    known = trunk.startswith('vision_encoder.') or (
        trunk == 'backbone.' and not has_published_head(weights))
    if known:
        stored = checkpoint.get('state_dict')
        if isinstance(stored, dict) and weights.keys() <= stored.keys():
            return checkpoint
    else:
        weights = _as_whole_model(weights)
    rest = {k: v for k, v in checkpoint.items() if not isinstance(v, Tensor)}
    for key in place.split('.')[:1]:
        rest.pop(key, None)
    return {**rest, 'state_dict': weights}


# Every path begins with the empty prefix: all files without another scheme
# come here.
@CheckpointLoader.register_scheme(prefixes='', force=True)
def load_from_local(filename: str, map_location: Any = None) -> Any:
    """Read a file for mmengine, found by ``locate``.

    Args:
        filename (str): The file, or its published name.
        map_location (Any): Device of the tensors, as in ``torch.load``.
            Defaults to None.

    Returns:
        Any: The content of the file, VideoMamba files under our names.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the file cannot be used.
    """
    # torch's own default, which users may change for models of the hosts.
    file = read_file(
        locate(filename),
        map_location,
        allow=allowed_types(filename),
        weights_only=None)
    return _renamed(filename, file)


def _renamed(filename: str, file: Any) -> Any:
    """Call ``for_whole_model``; name the file in errors."""
    try:
        return for_whole_model(file)
    except ValueError as error:
        raise ValueError(f'{filename}: {error}') from error


@CheckpointLoader.register_scheme(prefixes=_WEB, force=True)
def load_from_http(filename: str, map_location: Any = None) -> Any:
    """Download a file for mmengine, see ``load_from_local``.

    mmengine alone would run the code of a download.

    Args:
        filename (str): The address.
        map_location (Any): Device of the tensors. Defaults to None.

    Returns:
        Any: The content of the file, VideoMamba files under our names.

    Raises:
        ValueError: If the file cannot be used.
    """
    file = _read_download(filename, download(filename), map_location, None)
    return _renamed(filename, file)


@CheckpointLoader.register_scheme(prefixes=_STORAGE, force=True)
def load_from_ceph(filename: str, map_location: Any = None) -> Any:
    """Read a file of object storage for mmengine, see ``load_from_local``.

    Args:
        filename (str): The address.
        map_location (Any): Device of the tensors. Defaults to None.

    Returns:
        Any: The content of the file, VideoMamba files under our names.

    Raises:
        ValueError: If the file cannot be used.
    """
    return _renamed(filename, host.load_from_ceph(filename, map_location))
