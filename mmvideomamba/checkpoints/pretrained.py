"""Loading files by ``init_cfg`` and ``load_from``.

``init_cfg=dict(type='Pretrained', ...)`` of our modules is served by
``init_from_file``. ``load_from``, ``tools/test.py`` and the inferencers ask
mmengine's ``CheckpointLoader``; the functions registered there read local
files by our reader, and give a VideoMamba file the names of a converted file.
Files of other models pass unchanged.
"""
import re
from typing import Any, Callable, Dict, Iterable

from mmengine.logging import print_log
from mmengine.model import BaseModule, PretrainedInit
from mmengine.registry import DefaultScope
from mmengine.runner import CheckpointLoader
from mmengine.runner import checkpoint as host
from torch import Tensor, nn

from .class_token import check_settings
from .convert import convert
from .reader import read_checkpoint, read_file
from .rename import has_published_head
from .report import Change, log_changes
from .unwrap import find_weights, holds_videomamba, trunk_prefixes, unwrap

_URL = re.compile(r'\w[\w+.-]*://')


def read_any(path: str, map_location: Any = 'cpu') -> Dict[str, Any]:
    """Read a checkpoint from a file or an address, unchanged.

    Args:
        path (str): Local file, or an address known to mmengine.
        map_location (Any): Device of the tensors. Defaults to 'cpu'.

    Returns:
        dict: The content of the file.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the file cannot be used.
    """
    path = str(path)
    if path.startswith(('http://', 'https://')):
        return host.load_from_http(path, map_location)
    if _URL.match(path):
        return CheckpointLoader.load_checkpoint(path, map_location)
    return read_checkpoint(path, map_location)


def _below(checkpoint: Dict[str, Any], weights: Dict[str, Tensor],
           prefix: str) -> Dict[str, Tensor]:
    """Keep the tensors below the prefix in a config."""
    prefix = prefix.rstrip('.') + '.'
    stored = checkpoint.get('state_dict', checkpoint)
    for state in (weights, stored):
        part = {
            k[len(prefix):]: v
            for k, v in state.items()
            if k.startswith(prefix) and isinstance(v, Tensor)
        }
        if part:
            return part
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
        module (Module): Fits state dicts to itself by a load hook.
        checkpoint (str): File or address.
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
        weights = unwrap(file, ema)
        if prefix:
            weights = _below(file, weights, prefix)
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


def _task(names: Iterable[str]) -> str:
    """Name the kind of the host's model by the default scope."""
    scope = DefaultScope.get_current_instance()
    if scope is None or scope.scope_name != 'mmpretrain':
        return 'recognizer'
    distilled = any(name.endswith('distill_head.1.weight') for name in names)
    return 'distilled' if distilled else 'classifier'


def for_whole_model(checkpoint: Any) -> Any:
    """Give a VideoMamba file the names of a recognizer or classifier.

    Files of mmengine and of the converter have the names already, and models
    of videos and texts translate multimodal files: of both, wrappers alone are
    removed. The default scope names the host of the model.

    Args:
        checkpoint (Any): The content of a file.

    Returns:
        Any: A dict with ``state_dict``; files with the names, and of other
        models, unchanged.

    Raises:
        ValueError: If the file leaves a choice of weights, or has tensors
            unknown to VideoMamba.
    """
    if not isinstance(checkpoint, dict) or not holds_videomamba(checkpoint):
        return checkpoint
    check_settings(checkpoint)
    place = find_weights(checkpoint).place
    weights = unwrap(checkpoint)
    trunk = trunk_prefixes(weights)[0]
    meta = checkpoint.get('meta')
    known = trunk.startswith('vision_encoder.') or (isinstance(
        meta, dict) and 'mmengine_version' in meta) or (
            trunk == 'backbone.' and not has_published_head(weights))
    if known:
        stored = checkpoint.get('state_dict')
        if isinstance(stored, dict) and weights.keys() <= stored.keys():
            return checkpoint
    else:
        task = _task(weights)
        count = len(weights)
        weights, rows = convert(weights, task)
        log_changes([
            Change('renamed', f'{count} tensors', f'as for --task {task}'),
            *(row for row in rows if row.action not in ('kept', 'renamed'))
        ])
    rest = {k: v for k, v in checkpoint.items() if not isinstance(v, Tensor)}
    for key in place.split('.')[:1]:
        rest.pop(key, None)
    return {**rest, 'state_dict': weights}


@CheckpointLoader.register_scheme(prefixes='', force=True)
def load_from_local(filename: str, map_location: Any = None) -> Any:
    """Read a local file for mmengine.

    Args:
        filename (str): The file.
        map_location (Any): Device of the tensors, as in ``torch.load``.
            Defaults to None.

    Returns:
        Any: The content of the file, VideoMamba files under our names.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the file cannot be used.
    """
    # torch's own default, which users may change for models of the hosts.
    file = read_file(filename, map_location, weights_only=None)
    try:
        return for_whole_model(file)
    except ValueError as error:
        raise ValueError(f'{filename}: {error}') from error


@CheckpointLoader.register_scheme(prefixes=('http://', 'https://'), force=True)
def load_from_http(filename: str, map_location: Any = None) -> Any:
    """Download a file for mmengine, see ``load_from_local``.

    Args:
        filename (str): The address.
        map_location (Any): Device of the tensors. Defaults to None.

    Returns:
        Any: The content of the file, VideoMamba files under our names.

    Raises:
        ValueError: If the file cannot be used.
    """
    return for_whole_model(host.load_from_http(filename, map_location))
