"""The reader of weight files: safe, and clear about bad files.

A checkpoint of torch is a pickle, and reading a pickle can run code. Files are
read with torch's ``weights_only``, or as safetensors. Each fault of a file has
a single wording, with the file's name and the remedy.
"""
import json
import pickletools
import re
import struct
import zipfile
import zlib
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Dict, Optional, Sequence, Union

import torch

CONVERTER = 'tools/model_converters/videomamba_to_mm.py'
_ANEW = 'get the file anew'
# First bytes of a zip archive of torch, and of files before torch 1.6.
_ZIP = b'PK\x03\x04'
_PICKLE = b'\x80'
_SUM = 'checksum of '
_LFS = b'version https://git-lfs'
_PAGE = re.compile(
    rb'(\xef\xbb\xbf)?\s*(<!--.*?-->\s*)?<(!doctype|html|head|body|\?xml)',
    re.IGNORECASE | re.DOTALL)
_PACKED = {
    b'\x1f\x8b': 'gzip',
    b'BZh': 'bzip2',
    b'\xfd7zXZ': 'xz',
    b'7z\xbc\xaf': '7-Zip',
    b'Rar!': 'RAR',
}
# Errors of torch for a file that was cut off or changed.
_DAMAGED = (RuntimeError, EOFError, OSError, LookupError, ValueError,
            TypeError, AttributeError, AssertionError, struct.error)
_NO_ZIP = (zipfile.BadZipFile, zlib.error, *_DAMAGED)


def _refusal_of_start(path: Path, start: bytes, size: int) -> str:
    """Name the kind of a file by the first bytes, '' for a checkpoint."""
    if not size:
        return f'is empty: the download or the copy broke off; {_ANEW}'
    if start.startswith(_LFS):
        found = re.search(rb'size (\d+)', start)
        whole = f' of {int(found[1]) / 1e6:.1f} MB' if found else ''
        return (f'is a Git LFS pointer, not the file{whole} itself: run "git '
                'lfs pull" in its repository, or download the file by its '
                'link')
    if _PAGE.match(start):
        title = re.search(rb'<title[^>]*>\s*(.*?)\s*</title', start,
                          re.IGNORECASE | re.DOTALL)
        named = f' ("{title[1].decode(errors="replace")}")' if title else ''
        return (f'is a web page{named}, not a checkpoint: the address of the '
                'download asks for a login, or does not exist; get the file '
                'by its download link')
    for magic, name in _PACKED.items():
        if start.startswith(magic):
            return f'is packed by {name}: unpack it first'
    return ''


def _folder_refusal(path: Path) -> str:
    """Name a folder, and a checkpoint inside."""
    endings = ('.pth', '.pt', '.bin', '.safetensors', '.ckpt')
    inside = sorted(p.name for p in path.iterdir() if p.suffix in endings)
    hint = f', such as {path / inside[0]}' if inside else ''
    return f'{path} is a folder, not a checkpoint: name a file in it{hint}'


def _is_safetensors(path: Path, start: bytes) -> bool:
    """Tell a file of safetensors by the content, or by the ending."""
    # Eight bytes of the length, then a header in JSON.
    opening = start[8:].lstrip()[:1]
    length = int.from_bytes(start[:8], 'little')
    return (len(start) > 8 and opening == b'{'
            and length < 2**32) or (path.suffix == '.safetensors')


def _cut_off(path: Path, detail: str = '') -> ValueError:
    size = path.stat().st_size
    return ValueError(f'{path} is cut off after {size} bytes{detail}: the '
                      f'download or the copy broke off; {_ANEW}')


def _damaged(path: Path, error: Exception) -> ValueError:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return ValueError(f'{path} is damaged, or not a checkpoint of torch or '
                      f'safetensors ({lines[0][:200]}); {_ANEW}')


def _read_safetensors(path: Path, start: bytes,
                      map_location: Any) -> Dict[str, Any]:
    """Read a file of safetensors, after checking the length."""
    try:
        from safetensors import SafetensorError
        from safetensors.torch import load_file
    except ImportError as error:
        raise ValueError(f'{path} needs safetensors: pip install '
                         'safetensors') from error
    size, length = path.stat().st_size, int.from_bytes(start[:8], 'little')
    if length > 2**32 or start[8:].lstrip()[:1] not in (b'{', b''):
        raise _damaged(path, ValueError('no header of safetensors'))
    if size < 8 + length:
        raise _cut_off(path)
    with path.open('rb') as file:
        file.seek(8)
        try:
            header = json.loads(file.read(length))
            ends = [
                v['data_offsets'][1] for k, v in header.items()
                if k != '__metadata__'
            ]
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise _damaged(path, error) from error
    if size < 8 + length + max(ends, default=0):
        raise _cut_off(path,
                       f' of {8 + length + max(ends)}')  # the header says so
    device = map_location if isinstance(map_location,
                                        (str, torch.device)) else 'cpu'
    try:
        return dict(load_file(str(path), device=str(device)))
    except (SafetensorError, *_DAMAGED) as error:
        raise _damaged(path, error) from error


def is_torchscript(path: Union[str, Path]) -> bool:
    """Tell whether a file is a TorchScript archive.

    Args:
        path (str | Path): Any file.

    Returns:
        bool: Whether the file holds code of TorchScript.
    """
    # torch.jit.save stores the code of modules, torch.save does not.
    try:
        with zipfile.ZipFile(path) as archive:
            return any('/code/' in name for name in archive.namelist())
    except _NO_ZIP:
        return False


def _check_archive(path: Path) -> None:
    """Refuse a zip archive that is cut off, changed, or not of torch.

    torch itself reads changed tensors without a word.
    """
    if not _has_directory(path):
        raise _cut_off(path)
    try:
        opened = zipfile.ZipFile(path)
    except _NO_ZIP as error:
        raise _damaged(path, error) from error
    with opened as archive:
        names = archive.namelist()
        if any('/code/' in name for name in names):
            raise ValueError(
                f'{path} is a TorchScript archive, as OpenAI publishes CLIP; '
                'convert it: python tools/model_converters/clip_to_teacher.py '
                'FILE CLIP.pth')
        if not any(name.endswith('data.pkl') for name in names):
            raise ValueError(f'{path} is a zip archive of other files, such '
                             f'as {names[:1]}: unpack it first')
        faults = [_record_fault(archive, one) for one in archive.infolist()]
    # Without a single right sum, the file was saved without checksums.
    unsummed = all(fault.startswith(_SUM) for fault in faults)
    fault = next(filter(None, faults), '')
    if fault and not unsummed:
        raise _damaged(path, ValueError(fault))


def _check_records(path: Path) -> None:
    """Refuse an archive whose directory is readable, but not for torch."""
    try:
        # Tensors are mapped, not read.
        torch.load(path, 'cpu', weights_only=True, mmap=True)
    except RuntimeError as error:
        # Maps may be impossible there.
        if 'StreamReader' in str(error):
            raise _damaged(path, error) from error
    except (UnpicklingError, *_DAMAGED):
        pass  # a matter of the content, see read_file


def _has_directory(path: Path) -> bool:
    """Tell whether the end of a zip archive is there, good or damaged."""
    # zipfile raises for a damaged end, and returns False without an end.
    try:
        return zipfile.is_zipfile(path)
    except zipfile.BadZipFile:
        return True


def _record_fault(archive: zipfile.ZipFile, record: zipfile.ZipInfo) -> str:
    """Read a record to the end, which compares the checksum."""
    try:
        with archive.open(record) as content:
            while content.read(1 << 20):
                pass
        return ''
    except _NO_ZIP as error:
        text = str(error)
        return f'{_SUM}{record.filename}' if text.startswith(
            'Bad CRC') else text or type(error).__name__


def _is_cut_pickle(path: Path) -> bool:
    """Tell whether a file ends within the pickles at the beginning.

    torch's unpickler takes half a name for the name of another type.
    """
    with path.open('rb') as file:
        # Before torch 1.6: a number, a version, the system, content, keys.
        for _ in range(5):
            start = file.peek(1)[:1]
            if start != _PICKLE:
                return False
            try:
                for _ in pickletools.genops(file):
                    pass
            except ValueError as error:
                return not file.read(1) or 'exhausted' in str(error)
    return False


def _refused(path: Path, error: UnpicklingError) -> ValueError:
    """Turn torch's refusal of a pickle into the error to raise."""
    text = str(error)
    if re.search('truncated|Ran out of input|EOF',
                 text) or _is_cut_pickle(path):
        return _cut_off(path)
    found = re.search(r'GLOBAL (\S+)|attempted to use ([\w.]+)|class (\S+)',
                      text)
    if found is None and 'not allowed' not in text:
        return _damaged(path, ValueError('no pickle of torch'))
    if 'argparse.Namespace' in text:
        remedy = ('a command line, as published training files keep it: '
                  f'convert the file: python {CONVERTER} FILE OURS.pth, or by '
                  'clip_to_teacher.py next to it for a CLIP teacher')
    else:
        remedy = ('which could run code, and is refused: have its author save '
                  'the weights alone')
    named = next(filter(None, found.groups()), '') if found else ''
    return ValueError(f'{path} holds more than weights: '
                      f'{named or "an object"}, {remedy}')


def _read_torch(path: Path, start: bytes, map_location: Any,
                allow: Sequence[type], weights_only: Optional[bool]) -> Any:
    """Read a file of ``torch.save``."""
    if start.startswith(_ZIP):
        _check_archive(path)
    elif not start.startswith(_PICKLE):
        raise ValueError(f'{path} is not a checkpoint of torch or '
                         f'safetensors; {_ANEW}, or name another')
    try:
        with torch.serialization.safe_globals(list(allow)):
            return torch.load(path, map_location, weights_only=weights_only)
    except UnpicklingError as error:
        # torch's own message advises to read the file without protection.
        raise _refused(path, error) from None
    except _DAMAGED as error:
        # A missing or full device is no fault of the file.
        if isinstance(error,
                      torch.OutOfMemoryError) or ('deserialize object on'
                                                  in str(error)):
            raise
        if isinstance(error, EOFError) or _is_cut_pickle(path) or re.search(
                'EOF|ran out of|truncated', str(error), re.IGNORECASE):
            raise _cut_off(path) from error
        raise _damaged(path, error) from error


def _start_of(path: Path) -> bytes:
    """Return the first bytes of a file; refuse what they tell to be wrong."""
    if path.is_dir():
        raise ValueError(_folder_refusal(path))
    if not path.is_file():
        raise FileNotFoundError(f'the checkpoint {path} does not exist')
    with path.open('rb') as file:
        start = file.read(4096)
    refusal = _refusal_of_start(path, start, path.stat().st_size)
    if refusal:
        raise ValueError(f'{path} {refusal}')
    return start


def check_file(path: Union[str, Path]) -> None:
    """Check that a file is complete, as ``read_file`` does.

    Of a zip archive of torch all checksums are compared, and no tensor is
    made.

    Args:
        path (str | Path): The file; ``~`` is the home folder.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the file cannot be used, see ``read_file``.
    """
    path = Path(path).expanduser()
    if _start_of(path).startswith(_ZIP):
        # Checksums and a map of the file: the tensors themselves would take
        # the memory of the whole file.
        _check_archive(path)
        _check_records(path)
    else:
        read_file(path)


def read_file(path: Union[str, Path],
              map_location: Any = 'cpu',
              allow: Sequence[type] = (),
              weights_only: Optional[bool] = True) -> Any:
    """Read a file of torch or safetensors without running code in the file.

    Args:
        path (str | Path): The file; ``~`` is the home folder.
        map_location (Any): Device of the tensors, as in ``torch.load``.
            Defaults to 'cpu'.
        allow (Sequence[type]): Further types allowed in the file. Defaults
            to (), none.
        weights_only (bool, optional): As in ``torch.load``; None leaves the
            decision to torch and its environment variables. Defaults to
            True.

    Returns:
        Any: The content of the file.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the path is a folder, or the file a Git LFS pointer, a
            web page, packed, empty, cut off or damaged, no checkpoint, or
            more than weights; the message names the fault.
    """
    path = Path(path).expanduser()
    start = _start_of(path)
    if not start.startswith((_ZIP, _PICKLE)) and _is_safetensors(path, start):
        return _read_safetensors(path, start, map_location)
    return _read_torch(path, start, map_location, allow, weights_only)


def read_checkpoint(path: Union[str, Path],
                    map_location: Any = 'cpu',
                    **kwargs: Any) -> Dict[str, Any]:
    """Read a checkpoint, a dict, without running code in the file.

    Args:
        path (str | Path): The file.
        map_location (Any): Device of the tensors. Defaults to 'cpu'.
        **kwargs: Further arguments of ``read_file``.

    Returns:
        dict: Flat or wrapped weights, see ``unwrap``.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the file cannot be used, see ``read_file``, or holds
            something else than a dict.
    """
    checkpoint = read_file(path, map_location, **kwargs)
    if not isinstance(checkpoint, dict):
        raise ValueError(f'{path} {not_a_dict(checkpoint)}')
    return checkpoint


def not_a_dict(content: Any) -> str:
    """Return the wording for a file that holds something else than a dict.

    Args:
        content (Any): What the file holds.

    Returns:
        str: The fault and the remedy, without the name of the file.
    """
    return (f'holds a {type(content).__name__}, not the dict of a '
            'checkpoint: save a state_dict')
