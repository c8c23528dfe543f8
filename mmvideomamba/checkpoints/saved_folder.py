"""Folders of saved models: ``config.json``, weights and a model card."""
import json
import re
from pathlib import Path
from typing import Any, Dict, Mapping, Optional, Union

import torch
from mmengine.config import ConfigDict
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor, nn

from mmvideomamba.atomic_file import draft_of, finish_file, write_file
from mmvideomamba.json_file import read_json
from .reader import read_file

FORMAT = 1
LIBRARY = 'mmvideomamba'
CONFIG, WEIGHTS, CARD = 'config.json', 'model.safetensors', 'README.md'
TEXTS = 'tokenizer'
# JSON has no tuples, and steps of pipelines tell tuples from lists.
_TUPLE = '__tuple__'
_OURS = re.compile(rf'({CONFIG}|{WEIGHTS}|{CARD}|answers\.json|'
                   rf'prompts\.(json|txt))(\.unfinished)?|{TEXTS}|\.git.*')
_FILES = (f'{TEXTS}/vocab.txt', f'{TEXTS}/tokenizer_config.json',
          'answers.json', 'prompts.json', 'prompts.txt')
_ANEW = 'save the model again, or get the folder anew'


def to_json(value: Any, place: str = 'the config') -> Any:
    """Turn values of a config into values for JSON.

    Args:
        value (Any): Dicts, lists, tuples, texts, numbers, classes or None.
        place (str): Name of the value, for an error. Defaults to 'the
            config'.

    Returns:
        Any: The same for ``from_json``; a class becomes a name with the
        module in front.

    Raises:
        ValueError: If a value is of another kind.
    """
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, Mapping) and all(isinstance(k, str) for k in value):
        return {k: to_json(v, f'{place}.{k}') for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        items = [to_json(v, f'{place}.{i}') for i, v in enumerate(value)]
        return {_TUPLE: items} if isinstance(value, tuple) else items
    if isinstance(value, type):
        return f'{value.__module__}.{value.__qualname__}'
    raise ValueError(f'{place} is of type {type(value).__name__}, which no '
                     f'{CONFIG} can hold; write plain values')


def from_json(value: Any) -> Any:
    """Undo ``to_json``.

    Args:
        value (Any): Values of JSON.

    Returns:
        Any: Values of a config.
    """
    if isinstance(value, list):
        return [from_json(item) for item in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {_TUPLE} and isinstance(value[_TUPLE], list):
        return tuple(from_json(value[_TUPLE]))
    return ConfigDict({k: from_json(v) for k, v in value.items()})


def check_target(folder: Union[str, Path]) -> Path:
    """Refuse a folder with other content than a saved model.

    Args:
        folder (str | Path): Where a model is to be saved.

    Returns:
        Path: The folder, which may not exist yet.

    Raises:
        ValueError: If the folder is a file, or holds other files and no
            saved model.
    """
    folder = Path(folder).expanduser()
    if folder.exists() and not folder.is_dir():
        raise ValueError(f'{folder} is a file; name a folder for the model')
    names = sorted(p.name for p in folder.iterdir()) if folder.exists() else []
    others = [name for name in names if not _OURS.fullmatch(name)]
    if CONFIG in names:
        try:
            read_config(folder)
        except ValueError as error:
            raise ValueError(f'{folder} is not overwritten: {error}; name an '
                             'empty folder') from error
    elif others:
        raise ValueError(
            f'{folder} is not empty and holds no saved model, but '
            f'{", ".join(others[:3])}; name an empty folder')
    return folder


def _own_memory(state: Mapping[str, Tensor]) -> Dict[str, Tensor]:
    """Return tensors on the CPU of which no two share memory."""
    found: Dict[str, Tensor] = {}
    seen = set()
    for name, tensor in state.items():
        tensor = tensor.detach().cpu().contiguous()
        storage = tensor.untyped_storage()
        # safetensors refuses shared memory, and a part of a larger storage.
        if storage.data_ptr() in seen or storage.nbytes() != tensor.nbytes:
            tensor = tensor.clone()
        seen.add(tensor.untyped_storage().data_ptr())
        found[name] = tensor
    return found


def write_folder(folder: Path,
                 config: Mapping[str, Any],
                 state: Mapping[str, Tensor],
                 card: str,
                 files: Optional[Mapping[str, Path]] = None) -> None:
    """Write a saved model; no reader takes a folder in the making.

    ``config.json`` is the last file to come. An older model in the folder
    goes once the new weights are on the disk, ``config.json`` first, with the
    vocabulary and other files of its own.

    Args:
        folder (Path): Checked by ``check_target``.
        config (Mapping): Values for JSON.
        state (Mapping[str, Tensor]): Weights.
        card (str): The model card.
        files (Mapping[str, Path], optional): Files to copy, by the name in
            the folder. Defaults to None.

    Raises:
        OSError: If a file cannot be read or written.
    """
    # Before the first write: a value that JSON lacks spares an older model.
    text = json.dumps(config, indent=2, ensure_ascii=False) + '\n'
    # Read now: a source may lie in the very folder that is written.
    copies = {
        name: Path(source).read_bytes()
        for name, source in (files or {}).items()
    }
    folder.mkdir(parents=True, exist_ok=True)
    weights = folder / WEIGHTS
    try:
        save_file(
            _own_memory(state), draft_of(weights), metadata=dict(format='pt'))
        # A full disk leaves an older model as is.
        stale = _FILES if (folder / CONFIG).is_file() else ()
        # config.json goes first and comes last: no reader takes a folder
        # without config.json.
        (folder / CONFIG).unlink(missing_ok=True)
        finish_file(weights)
    except SafetensorError as error:
        draft_of(weights).unlink(missing_ok=True)
        raise OSError(f'{weights} cannot be written: {error}') from error
    # Ctrl-C as well.
    except BaseException:
        draft_of(weights).unlink(missing_ok=True)
        raise
    for name in stale:
        (folder / name).unlink(missing_ok=True)
    if (folder / TEXTS).is_dir() and not any((folder / TEXTS).iterdir()):
        (folder / TEXTS).rmdir()
    for name, content in copies.items():
        (folder / name).parent.mkdir(exist_ok=True)
        write_file(folder / name, content)
    write_file(folder / CARD, card)
    write_file(folder / CONFIG, text)


def find_folder(path: Path) -> Optional[Path]:
    """Find the folder of a saved model.

    Args:
        path (Path): The folder, or the file of weights or config inside.

    Returns:
        Path, optional: The folder; None for another path.
    """
    if path.is_dir():
        return path
    named = path.name in (WEIGHTS, CONFIG)
    return path.parent if named and (path.parent / CONFIG).is_file() else None


def read_config(folder: Path) -> Dict[str, Any]:
    """Read the ``config.json`` of a saved model.

    Args:
        folder (Path): The folder.

    Returns:
        dict[str, Any]: Values of JSON, see ``from_json``.

    Raises:
        ValueError: If the file does not exist, or belongs to another library
            or a later version of ours.
    """
    path = folder / CONFIG
    if not path.is_file():
        raise ValueError(
            f'{folder} holds no {CONFIG}: it is not a model saved by '
            'save_pretrained, and no checkpoint of a training is in it; name '
            'a saved folder, a checkpoint file, or the working folder of a '
            'training with a checkpoint')
    found = read_json(path, 'config', _ANEW)
    if not isinstance(found, dict) or found.get('library') != LIBRARY:
        other = found.get('library') if isinstance(found, dict) else None
        named = f' ({other})' if isinstance(other, str) else ''
        raise ValueError(
            f'{path} belongs to another library{named}, not to {LIBRARY}; '
            'name a folder written by save_pretrained of mmvideomamba')
    version = found.get('format')
    if version != FORMAT:
        raise ValueError(
            f'{path} has format {version!r}, but this mmvideomamba reads '
            f'{FORMAT}; the folder is of mmvideomamba '
            f'{found.get("library_version")}: install that version')
    if not isinstance(found.get('model'), dict):
        raise ValueError(f'{path} has no model; {_ANEW}')
    return found


def read_state(folder: Path) -> Dict[str, Tensor]:
    """Read the weights of a saved model.

    Args:
        folder (Path): The folder.

    Returns:
        dict[str, Tensor]: Weights by name.

    Raises:
        ValueError: If the file is missing, cut off or damaged.
    """
    path = folder / WEIGHTS
    if not path.is_file():
        raise ValueError(f'{folder} holds no {WEIGHTS}; {_ANEW}')
    return read_file(path)


def count_changes(model: nn.Module) -> int:
    """Count how often weights were changed in place, to notice a training.

    Args:
        model (nn.Module): The model.

    Returns:
        int: Greater after each step of an optimizer; a copy counts anew.
    """
    return sum(p._version for p in model.parameters() if not p.is_inference())


def load_strict(model: nn.Module,
                state: Mapping[str, Tensor],
                file: Union[str, Path],
                config: str = CONFIG,
                remedy: str = _ANEW) -> None:
    """Load weights that fit a model to the last tensor.

    Args:
        model (nn.Module): The model.
        state (Mapping[str, Tensor]): The weights.
        file (str | Path): The file, for an error.
        config (str): What the model was built from, for an error. Defaults
            to 'config.json'.
        remedy (str): What to do, for an error. Defaults to a folder's: save
            the model again.

    Raises:
        ValueError: If names or shapes differ, or whole numbers are in the
            place of fractions; the message counts them and names an example
            of each kind.
    """
    own = {k: v for k, v in model.state_dict().items() if torch.is_tensor(v)}
    missing = [k for k in own if k not in state]
    unexpected = [k for k in state if k not in own]
    other = [k for k in own if k in state and own[k].shape != state[k].shape]
    # Quantised weights without their scales would be cast without a word.
    kinds = [
        k for k in own if k in state
        and own[k].is_floating_point() != state[k].is_floating_point()
    ]
    faults = []
    if missing:
        faults.append(f'{len(missing)} tensors missing, such as {missing[0]}')
    if unexpected:
        faults.append(f'{len(unexpected)} unexpected, such as {unexpected[0]}')
    if other:
        name = other[0]
        faults.append(f'{len(other)} of another shape, such as {name}: '
                      f'{tuple(state[name].shape)} in the file, '
                      f'{tuple(own[name].shape)} in the model')
    if kinds:
        name = kinds[0]
        faults.append(f'{len(kinds)} of another kind of numbers, such as '
                      f'{name}: {state[name].dtype} in the file, '
                      f'{own[name].dtype} in the model')
    if faults:
        raise ValueError(f'{file} holds the weights of another model than '
                         f'{config}: {"; ".join(faults)}; {remedy}')
    model.load_state_dict(dict(state))
