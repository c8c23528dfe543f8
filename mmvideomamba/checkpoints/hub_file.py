"""Files and folders of the Hugging Face Hub, by name.

A name stands for the file in the cache of huggingface_hub (``HF_HOME``), and
is downloaded where the cache lacks it. Of several processes, as in a
distributed training, the first locks the file in the cache and downloads,
while the others wait for the lock: so no process needs the others to call too.
"""
import argparse
import logging
import re
from pathlib import Path
from typing import Any, Callable, Optional, Sequence, Union

import huggingface_hub
from huggingface_hub import constants
from huggingface_hub.errors import (EntryNotFoundError, HfHubHTTPError,
                                    LocalEntryNotFoundError)
from mmengine.logging import print_log

from .kept import checkpoint_in, is_training_folder
from .published import (FOLDER, PUBLISHED, REPOSITORY, find_published,
                        hint_for_missing, published)

_ID = re.compile(r'([\w.-]+/[\w.-]+)(?::([\w.-][\w./-]*))?')
# Endings of local files, which a repository hardly has.
_FILE = ('.pth', '.pt', '.pt2', '.onnx', '.pte', '.ckpt', '.bin',
         '.safetensors', '.py', '.json', '.yml', '.yaml')
# Of a saved model: all but weights in other formats.
_SAVED = ('*.json', '*.safetensors', '*.txt', '*.model', 'README.md')
# Or a mirror, by the variable HF_ENDPOINT.
ENDPOINT = constants.ENDPOINT
# Seconds to wait for an answer of the Hub.
_PATIENCE = 10


def fetch(name: str) -> Path:
    """Find or download a published file.

    A file in the working folder or in ``checkpoints`` comes before the cache
    of huggingface_hub, and the cache before a download.

    Args:
        name (str): See ``find_published``.

    Returns:
        Path: The file.

    Raises:
        ValueError: If the name is not published, or the file is neither here
            nor to be downloaded.
    """
    row = published(name)
    if row.note:
        print_log(f'{row.name}: {row.note}', 'current', logging.WARNING)
    file = row.name
    for local in (Path(file), Path(FOLDER, file)):
        if local.is_file():
            return local
    return _get_file(REPOSITORY, file)


def resolve_hub(text: str) -> Optional[Path]:
    """Find or download the file or folder of an id of the Hub.

    Args:
        text (str): 'ORGANISATION/NAME' for the folder of a saved model,
            'ORGANISATION/NAME:FILE' for a file.

    Returns:
        Path, optional: Folder or file in the cache of huggingface_hub; None
        for a text that is not an id: a local path, or another text. An id
        without a file counts as a local path if the first part is a folder.

    Raises:
        ValueError: If the id can be neither found in the cache nor
            downloaded, or is the repository of the published files alone.
    """
    found = _ID.fullmatch(text)
    if found is None or Path(text).expanduser().exists():
        return None
    repository, file = found.groups()
    if file is not None:
        if repository == REPOSITORY:
            return fetch(text)
        return _get_file(repository, file)
    if repository == REPOSITORY:
        raise ValueError(f'{REPOSITORY} holds {len(PUBLISHED)} files: name '
                         f'one, as in {REPOSITORY}:{next(iter(PUBLISHED))}')
    # A relative path of a local file looks like ORGANISATION/NAME, too.
    if text.endswith(_FILE) or text.startswith('.') or Path(
            text.split('/')[0]).is_dir():
        return None
    return _get(
        huggingface_hub.snapshot_download,
        f'{ENDPOINT}/{repository}',
        'the path of its folder',
        repo_id=repository,
        allow_patterns=list(_SAVED))


def locate(path: Union[str, Path]) -> Path:
    """Find the file that ``checkpoint`` or ``load_from`` names.

    A local file wins; of the working folder of a training that is the best
    checkpoint, see ``checkpoint_in``. Without one, a published name, alone or
    below the folder ``checkpoints``, stands for ``fetch``, and
    'ORGANISATION/NAME:FILE' for ``resolve_hub``.

    Args:
        path (str | Path): Path, working folder of a training, published name
            or id.

    Returns:
        Path: A local path; for names of no published file maybe missing.

    Raises:
        FileNotFoundError: If the file is missing, and the name is like a
            published name.
        ValueError: If a file of the Hub can be neither found in the cache nor
            downloaded.
    """
    local = Path(path).expanduser()
    if is_training_folder(local):
        return checkpoint_in(local)
    if local.exists():
        return local
    row = find_published(str(path))
    if row is not None:
        found = fetch(row.name)
        print_log(f'{path} is the published file {found}', 'current')
        return found
    if ':' in str(path):
        return resolve_hub(str(path)) or local
    hint = hint_for_missing(str(path))
    if hint:
        raise FileNotFoundError(f'the checkpoint {path} does not exist{hint}')
    return local


def is_hub_file(path: str) -> bool:
    """Tell whether ``locate`` looks for a path on the Hub.

    Args:
        path (str): Path of a checkpoint.

    Returns:
        bool: Whether the Hub may have the file, and the path is not a local
        file.
    """
    if Path(path).expanduser().exists():
        return False
    found = _ID.fullmatch(path)
    return find_published(path) is not None or bool(found and found[2])


def allowed_types(path: Union[str, Path]) -> Sequence[type]:
    """List the types allowed in a file besides weights.

    Args:
        path (str | Path): Path of a checkpoint.

    Returns:
        Sequence[type]: Published files of trainings keep their command line,
        plain data. Other files have none.
    """
    name = Path(path).name.rpartition(':')[2]
    return (argparse.Namespace, ) if find_published(name) else ()


def _get_file(repository: str, file: str) -> Path:
    """Return a file of the cache, downloaded if need be."""
    remedy = f'its path, or put it into the folder {FOLDER}' if (
        repository == REPOSITORY) else 'its path'
    return _get(
        huggingface_hub.hf_hub_download,
        huggingface_hub.hf_hub_url(repository, file, endpoint=ENDPOINT),
        remedy,
        repo_id=repository,
        filename=file)


def _get(load: Callable[..., str], address: str, remedy: str,
         **arguments: Any) -> Path:
    """Call a function of huggingface_hub, with the cache before the network.

    Published files do not change: a published file of the cache needs no
    question to the Hub. Any other is asked for first.
    """
    steady = arguments['repo_id'] == REPOSITORY
    reason = '' if steady else _silence()
    if steady or reason:
        try:
            return Path(load(local_files_only=True, **arguments))
        except LocalEntryNotFoundError:
            # One question first: without a network, huggingface_hub itself
            # asks for 23 to 90 seconds.
            reason = reason or _silence()
    cause: Optional[Exception] = None
    if not reason:
        try:
            return Path(load(endpoint=ENDPOINT, **arguments))
        except (OSError, ValueError, HfHubHTTPError) as error:
            reason, cause = _reason(error), error
    raise ValueError(
        f'{address} cannot be downloaded, {reason}, and is not in the cache '
        f'{constants.HF_HUB_CACHE} (HF_HOME): download it elsewhere and give '
        f'{remedy}') from cause


def _silence() -> str:
    """Ask the Hub once, and say why there is no answer; '' for an answer.

    huggingface_hub itself asks six times, for up to 90 seconds, with two
    warnings each.
    """
    if constants.HF_HUB_OFFLINE:
        return 'as HF_HUB_OFFLINE is set'
    try:
        huggingface_hub.utils.get_session().head(ENDPOINT, timeout=_PATIENCE)
    except Exception:  # of requests, or of httpx from version 1.0 on
        return f'as {ENDPOINT} does not answer'
    return ''


def _reason(error: Exception) -> str:
    """Say in a few words why a download failed."""
    if isinstance(error, EntryNotFoundError):
        return 'as the Hub has no such file'
    if isinstance(error, HfHubHTTPError):
        status = getattr(error.response, 'status_code', 'unknown')
        return f'as the Hub refuses it (status {status}: wrong name or login)'
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return f'with the error {lines[0][:200]!r}'
